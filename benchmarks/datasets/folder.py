"""Any folder of pictures, its subfolders included: grey or RGB with 8 bits a channel, as many pixels each or resized.

`data: {path: photos, size: 32}` in a benchmark.yaml is all that it takes. Which pictures are in which part is drawn by
lot, for each label by itself where `labels` are the names of the first subfolders: of all pictures the share `held_out`
is tested on, as the reference and as the oracle, and a tenth is for validation. Squeezed are those that are no squares.
Of pictures without labels, a kind without a judge such as `photos` is made: ImageNet's net looks at these in its place.
"""

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from benchmarks.datasets.common import pictures
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import PARTS, Split, Splits, chance

LEVELS = 256
CHOSEN_ON = 0.1  # of all pictures, for validation
SPLITS = {"train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"}  # no names of labels
FEWEST = (2, 1, 4)  # pictures of each part: two references of two are cut from the last

Size = Annotated[int, Field(ge=1, le=4096)]
Share = Annotated[float, Field(gt=0, le=0.8)]


def load(
    *,
    path: str = "pictures",
    size: Size | None = None,
    labels: Literal["subfolders"] | None = None,
    held_out: Share = 0.4,
    seed: Seed = 0,
) -> Splits:
    """path: from the project's folder on, or absolute."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise ValueError(f"folder: path = {path!r}: there is no such folder; give one that holds pictures")
    found = pictures.read(folder, size, "`size: N` in its data")
    if found.unlike:
        raise ValueError(f"folder: {found.unlike}")
    ((_, x),) = found.groups
    sides = x.shape[2:]
    if any(side % 2 for side in sides):
        even = f"`size: {max(2, min(sides) // 4 * 4)}` in its data"
        raise ValueError(
            f"folder: pictures of {sides[0]}x{sides[1]}: nets halve them, so make their sides even: {even}"
        )
    label, names = named(folder) if labels else (torch.zeros(len(x), dtype=torch.int64), [])
    places = shared_out(label, held_out, seed)
    check(folder, places, label, names)
    train, validation, test = (Split(x[place], label[place] if labels else None) for place in places)
    return Splits(train, validation, test, classes=len(names), levels=LEVELS)


def named(folder: Path) -> tuple[Tensor, list[str]]:
    """Of each picture the number of the subfolder that it lies in, and the names of these, sorted."""
    files, _ = pictures.found(folder)
    beside = [file for file in files if file.parent == folder]
    if beside:
        raise ValueError(f"folder: {beside[0]} lies in no subfolder, whose name would be its label; leave labels out")
    subfolders = [file.relative_to(folder).parts[0] for file in files]
    names = sorted(set(subfolders))
    if {name.lower() for name in names} <= SPLITS:
        raise ValueError(
            f"folder: {folder} has the subfolders {', '.join(names)}, which are parts and no labels: give the path of "
            "one of them, or of a folder with a subfolder a label; the parts are drawn here"
        )
    if len(names) == 1:
        raise ValueError(f"folder: {folder} has one subfolder with pictures, so one label; leave labels out")
    return torch.tensor([names.index(name) for name in subfolders]), names


def shared_out(label: Tensor, held_out: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where the pictures of each part stand: of every label its shares, by lot."""
    parts: tuple[list[Tensor], ...] = ([], [], [])
    rng = chance("folder", seed)
    for each in label.unique():
        own = (label == each).nonzero().squeeze(1)
        own = own[torch.randperm(len(own), generator=rng)]
        tested, chosen_on = round(held_out * len(own)), round(CHOSEN_ON * len(own))
        learnt = len(own) - tested - chosen_on
        for part, places in zip(parts, own.split([learnt, chosen_on, tested]), strict=True):
            part.append(places)
    train, validation, test = (torch.cat(part).sort().values for part in parts)
    return train, validation, test


def check(folder: Path, places: tuple[Tensor, ...], label: Tensor, names: list[str]) -> None:
    """Raise ValueError unless every part has pictures enough, of each label."""
    for part, place, fewest in zip(PARTS, places, FEWEST, strict=True):
        if len(place) < fewest:
            raise ValueError(
                f"folder: {folder} holds {len(label)} pictures, of which {len(place)} are for {part}: give it more, "
                f"so that there are {fewest}"
            )
        for number, name in enumerate(names):
            if not bool((label[place] == number).any()):
                raise ValueError(
                    f"folder: of the label {name!r} there are {int((label == number).sum())} pictures and none for "
                    f"{part}: give it more, or leave labels out"
                )
