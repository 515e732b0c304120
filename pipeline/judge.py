"""The judge stage: `python -m pipeline.judge BENCHMARK` makes the classifier that the image metrics look through.

It is trained on the benchmark's real training images; its accuracy on the held-out ones is printed and kept.
"""

import argparse
import json
from pathlib import Path

import torch

from benchmarks.extractors import Judge, accuracy, fit
from pipeline import data, params
from pipeline.cell import data_file, judge_file, scores_dir, seed_for
from pipeline.checkpoint import model_state, save_tensors
from pipeline.files import atomic_write
from pipeline.stage import run_stage


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
    judge = Judge(images.spec.shape, images.classes).to(device)
    settings = benchmark.judge.model_dump()
    fit(judge, images.as_input(images.train.x), images.train.label, **settings, seed=seed_for("judge", benchmark.name))
    right = accuracy(judge, images.as_input(images.test.x), images.test.label)
    save_judge(judge, judge_file(benchmark.name))
    record = {"accuracy": round(right, 4), "train_images": len(images.train.x), "test_images": len(images.test.x)}
    atomic_write(scores_dir(benchmark.name) / "judge.json", json.dumps(record, indent=1) + "\n")
    print(f"{benchmark.name}: the judge names {right:.2%} of {len(images.test.x):,} held-out images rightly")


def save_judge(judge: Judge, path: Path) -> None:
    save_tensors(path, {"shape": judge.shape, "classes": judge.classes, "state": model_state(judge)})


def load_judge(path: Path, device: torch.device | str) -> Judge:
    """A trained judge, ready to describe images. Raises FileNotFoundError or ValueError, in one line."""
    content = data.read_output(path, device)
    judge = Judge(content["shape"], content["classes"]).to(device)
    judge.load_state_dict(content["state"])
    return judge.eval()


if __name__ == "__main__":
    run_stage(main)
