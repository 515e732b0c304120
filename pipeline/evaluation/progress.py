"""How a model did while it trained: the metrics of its snapshots, and the modes that it held and lost."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import metrics
from benchmarks.metrics.common.occupancy import FIRM, occupancy
from pipeline.data import Data
from pipeline.evaluation.view import Evidence, View


def taken(path: Path) -> dict[int, Tensor]:
    """The snapshots of a seed by step, stored as the data are."""
    with np.load(path, allow_pickle=False) as file:
        return dict(zip(file["step"].tolist(), torch.from_numpy(file["x"]), strict=False))


def progress(snapshots: dict[int, Tensor], resident: Data, view: View, chosen: list[str]) -> str:
    """A line a snapshot, as CSV: step, the columns of the ``chosen`` metrics, and how many modes are `held`, `lost`
    and newly lost (`fell`); these are empty where even equal shares of the samples would hold no mode."""
    wanted = metrics.needs(chosen) | {"fake_labels"}
    known = view.compared(wanted) if snapshots and chosen else {}
    rows, counts = [], []
    for step, x in snapshots.items() if chosen else ():
        fake = resident.as_input(x.to(resident.train.x.device))
        evidence = known | {"fake": fake} | view.of("fake", fake, wanted)
        values = metrics.evaluate(chosen, evidence).values()
        rows.append([step, *("" if value is None else f"{value:.6g}" for value in values)])
        counts.append(samples_of_modes(evidence))
        enough = 0 < FIRM * len(counts[0]) <= len(fake)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", *(column.name for column in metrics.columns(chosen)), "held", "lost", "fell"])
    for row, modes in zip(rows, held_and_lost(counts), strict=True):
        writer.writerow(row + (list(modes) if enough else [""] * 3))
    return text.getvalue()


def held_and_lost(counts: Iterable[Tensor]) -> Iterator[tuple[int, int, int]]:
    """From the samples of each mode (K,) at each snapshot: how many modes are held, with FIRM samples or more; how many
    are lost, without any where an earlier snapshot held them; and how many of these had some at the snapshot before."""
    ever = before = None
    for now in counts:
        held = now >= FIRM
        ever = held if ever is None else ever | held
        lost = ever & (now == 0)
        fell = lost & (before > 0) if before is not None else torch.zeros_like(lost)
        before = now
        yield int(held.sum()), int(lost.sum()), int(fell.sum())


def samples_of_modes(evidence: Evidence) -> Tensor:
    """How many samples each mode has: the truth's, or the judge's labels; none where there is no judge to trust."""
    if evidence.get("centres") is not None:
        return occupancy(fake=evidence["fake"], centres=evidence["centres"], sigma=evidence["sigma"])
    if "fake_labels" not in evidence:
        return torch.zeros(0, dtype=torch.long)
    return torch.bincount(evidence["fake_labels"], minlength=evidence["classes"])
