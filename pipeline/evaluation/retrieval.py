"""The codes that data are found by, and what some queries find."""

from pathlib import Path

import torch

from benchmarks.extractors import features_of
from benchmarks.metrics.retrieval import nearest
from models.common.protocol import Encodes, Model
from pipeline.data import Data
from pipeline.evaluation.sampling import packed
from pipeline.evaluation.view import SEEN, TESTED, Evidence, View
from pipeline.files import atomic_write

CHUNK = 2000  # data encoded at once
QUERIES, FOUND = 5, 6  # of a picture: the first held-out images of different classes, and what each finds


def coded(model: Model | None, resident: Data, view: View, wanted: set[str]) -> Evidence:
    """Codes of training and of test data, where they are labelled images: a model's own, or without a model the judge's
    features, and beside these the pixels."""
    if "test_codes" not in wanted or not resident.spec.classes or len(resident.spec.shape) != 3:
        return {}
    parts = {"train": resident.train.x[:SEEN], "test": resident.test.x[:TESTED]}
    images = {name: resident.as_input(x) for name, x in parts.items()}
    known: Evidence = {"train_labels": resident.train.labels[:SEEN]}
    if isinstance(model, Encodes):
        encode = model.encode
        found = {name: torch.cat([encode(part) for part in x.split(CHUNK)]).flatten(1) for name, x in images.items()}
    elif model is None and view.judge:
        found = {name: features_of(view.judge, x) for name, x in images.items()}
        known |= {f"{name}_pixels": x.flatten(1) for name, x in images.items()}
    else:
        return {}
    return known | {f"{name}_codes": codes for name, codes in found.items()}


def save(samples: Path, seed: int, resident: Data, evidence: Evidence) -> None:
    """Write what the first queries of different classes find, for a picture."""
    if "test_codes" not in evidence or not bool(evidence["test_codes"].isfinite().all()):
        return
    labels = resident.test.labels[: len(evidence["test_codes"])]
    queries = torch.tensor(sorted(int((labels == each).nonzero()[0]) for each in labels.unique())[:QUERIES])
    content = {"query": resident.test.x[queries], "label": labels[queries]}
    for by in ("codes", "pixels"):
        if f"test_{by}" in evidence:
            places = nearest(evidence[f"train_{by}"], evidence[f"test_{by}"][queries], FOUND)  # (QUERIES, FOUND)
            right = resident.train.labels[places] == labels[queries, None]
            content |= {by: resident.train.x[places], f"{by}_right": right}
    atomic_write(samples / "retrieved" / f"{seed}.npz", packed(**content, levels=resident.levels))
