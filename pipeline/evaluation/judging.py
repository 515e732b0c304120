"""The classifier that the image metrics look through: how it is trained, kept and read.

It is trained on the benchmark's real training images, and trusted if it is right on those for validation more often
than halfway from chance to perfection. Where every channel has a label it judges channels, and an image is named
rightly if each of its channels is. Of clips it learns the label together with where things go in the last step.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.datasets.common.splits import PARTS, Split
from benchmarks.extractors import HEADINGS, AnyJudge, ChannelJudge, Judge, accuracy, by_channel, combined, fit, heading
from pipeline import data
from pipeline.data import Data, made_on
from pipeline.files import atomic_write
from pipeline.seeds import seed_for
from pipeline.tensors import model_state, save_tensors

CHUNK = 2000  # clips looked at at once


def train(name: str, settings: Mapping[str, Any], images_file: Path, judge_file: Path, record_file: Path) -> str:
    """Train the judge of the benchmark ``name``, write it and how good it is, and say so."""
    device = data.chosen_device()
    images = data.load(images_file, device)
    judge: AnyJudge = (ChannelJudge if images.stacked else Judge)(images.spec.shape, labels(images)).to(device)
    fit(judge, *shown(images, images.train), **settings, seed=seed_for("judge", name))
    right = accuracy(judge, *shown(images, images.test))
    chosen, alone = (of_labels(judge, images, split) for split in (images.validation, images.test))
    sizes = {f"{part}_images": len(getattr(images, part).x) for part in PARTS}
    what = "clips" if len(images.spec.shape) == 4 else "images"
    said = f"{name}: the judge names {right:.2%} of {sizes['test_images']:,} test {what} rightly"
    record: dict[str, Any] = {"accuracy": round(right, 4), "validation_accuracy": round(chosen, 4), **sizes}
    if images.stacked:
        said += f", {alone:.2%} of their channels"
        record["channel_accuracy"] = round(alone, 4)
    said += f"; on validation {chosen:.2%}" + " of channels" * images.stacked
    record["warnings"] = [] if chosen >= halfway(labels(images)) else [doubt(chosen, labels(images))]
    save_judge(judge, judge_file, chosen)
    atomic_write(record_file, json.dumps({**record, "made": [made_on(device)]}, indent=1) + "\n")
    return "\n".join([said, *(f"warning: {name}: {warning}" for warning in record["warnings"])])


def labels(images: Data) -> int:
    """How many labels there are for an image, a channel, or a clip."""
    return images.classes * HEADINGS if len(images.spec.shape) == 4 else images.classes


def classes(images: Data) -> int:
    """How many classes a judge tells apart."""
    return images.classes ** images.spec.shape[0] if images.stacked else labels(images)


def shown(images: Data, split: Split) -> tuple[Tensor, Tensor]:
    """Images or clips as a judge sees them, and the class of each."""
    label = combined(split.labels, images.classes) if images.stacked else split.labels
    if split.x.dim() == 5:
        label = label * HEADINGS + torch.cat([heading(part) for part in split.x.split(CHUNK)])
    return images.as_input(split.x), label


def of_labels(judge: AnyJudge, images: Data, split: Split) -> float:
    """Share of the labels that the judge gives: of images, or of each of their channels."""
    if isinstance(judge, ChannelJudge):
        return accuracy(judge.judge, by_channel(images.as_input(split.x)), split.labels.flatten())
    return accuracy(judge, *shown(images, split))


def halfway(classes: int) -> float:
    """An accuracy halfway from chance to perfection: below it nothing that a judge sees is evidence."""
    return (1 + 1 / classes) / 2


def doubt(right: float, classes: int) -> str:
    return (
        f"the judge names {right:.2%} of the labels for validation rightly, less than {halfway(classes):.2%}, which is "
        "halfway from chance to perfection: what is seen through it is n/a"
    )


def save_judge(judge: AnyJudge, path: Path, right: float) -> None:
    """right: the share of the labels for validation that it gives."""
    stacked = isinstance(judge, ChannelJudge)
    classes = judge.judge.classes if isinstance(judge, ChannelJudge) else judge.classes
    content = {"shape": judge.shape, "classes": classes, "stacked": stacked, "right": right}
    save_tensors(path, {**content, "state": model_state(judge)})


def load_judge(path: Path, device: torch.device | str) -> AnyJudge:
    """A trained judge, ready to describe images. Raises FileNotFoundError or ValueError, in one line."""
    return read(path, device)[0]


def trusted(path: Path, device: torch.device | str) -> AnyJudge | None:
    """The same; None if it is right too seldom."""
    judge, good = read(path, device)
    return judge if good else None


def read(path: Path, device: torch.device | str) -> tuple[AnyJudge, bool]:
    """A judge, and whether it is right often enough."""
    content = data.read_output(path, device)
    try:
        judge = (ChannelJudge if content["stacked"] else Judge)(content["shape"], content["classes"])
        judge.load_state_dict(content["state"])
        good = bool(content["right"] >= halfway(content["classes"]))
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):  # other tensors than a judge's
        raise ValueError(f"{path} holds no judge; one is made by `python -m pipeline.judge BENCHMARK`") from None
    return judge.to(device).eval(), good
