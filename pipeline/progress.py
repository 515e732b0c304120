"""How a model did while it trained: the metrics of its snapshots, and the modes that it held and lost."""

import csv
import io

import numpy as np
import torch
from torch import Tensor

from benchmarks import metrics
from benchmarks.metrics.modes import FIRM, occupancy
from pipeline.cell import Cell
from pipeline.data import Data
from pipeline.view import Evidence, View


def progress(cell: Cell, seed: int, resident: Data, view: View, chosen: list[str]) -> str:
    """A line a snapshot, as CSV: step, the columns of the ``chosen`` metrics, `held` and `lost`.

    A mode is held with FIRM samples or more (by the judge's label, or of high quality); it is lost where an earlier
    snapshot held it and this one has no sample of it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", *(column.name for column in metrics.columns(chosen)), "held", "lost"])
    with np.load(cell.snapshots / f"{seed}.npz", allow_pickle=False) as file:
        steps, snapshots = file["step"].tolist(), torch.from_numpy(file["x"])
    wanted, ever = metrics.needs(chosen) | {"fake_labels"}, None
    known = view.held_out(wanted) if steps and chosen else {}
    for step, x in zip(steps, snapshots if chosen else [], strict=False):
        fake = resident.as_input(x.to(resident.train.x.device))
        evidence = known | {"fake": fake} | view.of("fake", fake, wanted)
        counts = samples_of_modes(evidence)
        held = counts >= FIRM
        ever = held if ever is None else ever | held
        values = metrics.evaluate(chosen, evidence).values()
        shown = ["" if value is None else f"{value:.6g}" for value in values]
        writer.writerow([step, *shown, int(held.sum()), int((ever & (counts == 0)).sum())])
    return text.getvalue()


def samples_of_modes(evidence: Evidence) -> Tensor:
    """How many samples each mode has: the truth's, or the judge's labels."""
    if evidence.get("centres") is not None:
        return occupancy(fake=evidence["fake"], centres=evidence["centres"], sigma=evidence["sigma"])
    return torch.bincount(evidence["fake_labels"], minlength=evidence["classes"])
