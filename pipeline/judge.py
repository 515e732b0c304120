"""The judge stage: `python -m pipeline.judge BENCHMARK` makes the classifier that the image metrics look through.

It is trained on the benchmark's real training images; its accuracy on the held-out ones is printed and kept. Where
every channel has a label it judges channels, and an image is named rightly if each of its channels is.
"""

import argparse
import json
from pathlib import Path

import torch

from benchmarks.extractors import AnyJudge, ChannelJudge, Judge, accuracy, by_channel, combined, fit
from pipeline import data, params
from pipeline.cell import data_file, judge_file, scores_dir
from pipeline.files import atomic_write
from pipeline.seeds import seed_for
from pipeline.stage import run_stage
from pipeline.tensors import model_state, save_tensors


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the judge of a benchmark.")
    parser.add_argument("benchmark")
    torch.set_num_threads(1)  # as in the workers: the result is the same on any number of cores
    train(params.load().benchmark(parser.parse_args().benchmark))


def train(benchmark: params.Benchmark) -> None:
    """Train the judge of ``benchmark``, and write it and its accuracy."""
    if benchmark.judge is None:
        raise ValueError(f"{benchmark.name} has no judge: benchmarks of kind {benchmark.kind!r} are scored without one")
    device = data.chosen_device()
    images = data.load(data_file(benchmark.name), device)
    judge = (ChannelJudge if images.stacked else Judge)(images.spec.shape, images.classes).to(device)
    learnt, held_out = (
        (images.as_input(split.x), combined(split.label, images.classes) if images.stacked else split.label)
        for split in (images.train, images.test)
    )
    fit(judge, *learnt, **benchmark.judge.model_dump(), seed=seed_for("judge", benchmark.name))
    right = accuracy(judge, *held_out)
    said = f"{benchmark.name}: the judge names {right:.2%} of {len(images.test.x):,} held-out images rightly"
    record = {"accuracy": round(right, 4), "train_images": len(images.train.x), "test_images": len(images.test.x)}
    if images.stacked:
        alone = accuracy(judge.judge, by_channel(held_out[0]), images.test.label.flatten())
        said += f", and {alone:.2%} of their channels"
        record["channel_accuracy"] = round(alone, 4)
    save_judge(judge, judge_file(benchmark.name))
    atomic_write(scores_dir(benchmark.name) / "judge.json", json.dumps(record, indent=1) + "\n")
    print(said)


def save_judge(judge: AnyJudge, path: Path) -> None:
    stacked = isinstance(judge, ChannelJudge)
    classes = judge.judge.classes if stacked else judge.classes
    content = {"shape": judge.shape, "classes": classes, "stacked": stacked, "state": model_state(judge)}
    save_tensors(path, content)


def load_judge(path: Path, device: torch.device | str) -> AnyJudge:
    """A trained judge, ready to describe images. Raises FileNotFoundError or ValueError, in one line."""
    content = data.read_output(path, device)
    try:
        judge = (ChannelJudge if content["stacked"] else Judge)(content["shape"], content["classes"])
        judge.load_state_dict(content["state"])
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):  # other tensors than a judge's
        raise ValueError(f"{path} holds no judge; one is made by `python -m pipeline.judge BENCHMARK`") from None
    return judge.to(device).eval()


if __name__ == "__main__":
    run_stage(main)
