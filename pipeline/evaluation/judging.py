"""The classifier that the image metrics look through: how it is trained, kept and read.

It is trained on the benchmark's real training images. Where every channel has a label it judges channels, and an image
is named rightly if each of its channels is.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.extractors import AnyJudge, ChannelJudge, Judge, accuracy, by_channel, combined, fit
from pipeline import data
from pipeline.data import made_on
from pipeline.files import atomic_write
from pipeline.seeds import seed_for
from pipeline.tensors import model_state, save_tensors


def train(name: str, settings: Mapping[str, Any], images_file: Path, judge_file: Path, record_file: Path) -> str:
    """Train the judge of the benchmark ``name``, write it and its accuracy, and say how good it is."""
    device = data.chosen_device()
    images = data.load(images_file, device)
    kind = ChannelJudge if images.stacked else Judge
    judge: AnyJudge = kind(images.spec.shape, images.classes).to(device)
    learnt, held_out = (
        (images.as_input(split.x), combined(split.labels, images.classes) if images.stacked else split.labels)
        for split in (images.train, images.test)
    )
    fit(judge, *learnt, **settings, seed=seed_for("judge", name))
    right = accuracy(judge, *held_out)
    said = f"{name}: the judge names {right:.2%} of {len(images.test.x):,} held-out images rightly"
    record = {"accuracy": round(right, 4), "train_images": len(images.train.x), "test_images": len(images.test.x)}
    if isinstance(judge, ChannelJudge):
        alone = accuracy(judge.judge, by_channel(held_out[0]), images.test.labels.flatten())
        said += f", and {alone:.2%} of their channels"
        record["channel_accuracy"] = round(alone, 4)
    save_judge(judge, judge_file)
    atomic_write(record_file, json.dumps({**record, "made": [made_on(device)]}, indent=1) + "\n")
    return said


def save_judge(judge: AnyJudge, path: Path) -> None:
    stacked = isinstance(judge, ChannelJudge)
    classes = judge.judge.classes if isinstance(judge, ChannelJudge) else judge.classes
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
