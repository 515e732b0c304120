"""Data found by their codes: by hand, in an evaluation, and on a page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_reports_likelihoods import report
from torch import Tensor, nn

from benchmarks.datasets import Split
from benchmarks.metrics import retrieval
from pipeline.data import Data
from pipeline.evaluation import retrieval as evaluation
from pipeline.evaluation.view import View
from reports.load import ORACLE, Column, Report
from reports.samples import Retrieved, Samples, read_retrieved
from reports.sections import retrieval as section

CLASSES = 3


def line(*at: float) -> Tensor:
    return torch.tensor(at).unsqueeze(1)


def test_the_nearest_come_first() -> None:
    known = line(*range(20))
    assert retrieval.nearest(known, line(4.9, -3.0), 3).tolist() == [[5, 4, 6], [0, 1, 2]]
    far = known.double() + 1e9  # where products of float32 would know no neighbours
    assert retrieval.nearest(far, far[:2], 2).tolist() == [[0, 1], [1, 0]]


def test_precision_is_the_share_of_the_right_label() -> None:
    """Of the ten nearest to 0 nine are of its label, of those to 100 none."""
    known = torch.cat([line(*(0.1 * i for i in range(10))), line(*(100 + 0.1 * i for i in range(10)))])
    labels = torch.tensor([0] * 9 + [1] + [2] * 10)
    asked, wanted = line(0.0, 100.0), torch.tensor([0, 1])
    assert retrieval.precision(known, labels, asked, wanted) == pytest.approx((0.9 + 0) / 2)


def test_a_probe_tells_what_a_line_can_and_no_more() -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(400, 2, generator=rng)
    half, corner = (x[:, 0] > 0.3).long(), ((x[:, 0] > 0) ^ (x[:, 1] > 0)).long()
    assert retrieval.probe(x[:200], half[:200], x[200:], half[200:]) > 0.97
    assert retrieval.probe(x[:200], corner[:200], x[200:], corner[200:]) < 0.65
    with pytest.raises(ValueError, match="one class alone teach no probe"):
        retrieval.probe(x, torch.zeros(400, dtype=torch.long), x, half)


def test_a_probe_does_not_mind_the_units_of_a_code() -> None:
    """In such small ones the penalty would leave it no slope."""
    x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0)).double()
    label, small = (x[:, 0] > 0.3).long(), x * torch.tensor([1e-4, 1.0]) + 5
    both = [retrieval.probe(codes[:200], label[:200], codes[200:], label[200:]) for codes in (x, small)]
    assert both[0] == both[1] > 0.97


class Coder(nn.Module):
    """The mean of an image is its code."""

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1).mean(1, keepdim=True)

    def decode(self, z: Tensor) -> Tensor:
        return z

    def reconstruct(self, x: Tensor) -> Tensor:
        return x


def images() -> Data:
    """Of three classes, each of its own brightness."""
    label = torch.arange(60) % CLASSES
    x = (label * 5 + 1).to(torch.uint8).view(-1, 1, 1, 1).expand(60, 1, 8, 8).contiguous()
    x[:, 0, 0, 0] = torch.arange(60) % 17
    part = Split(x, label)
    return Data(part, part, part, CLASSES, 17)


def test_a_model_that_encodes_is_asked_for_its_codes(tmp_path: Path) -> None:
    data = images()
    view = View(tmp_path / "none", data, torch.arange(60))
    found = evaluation.coded(Coder(), data, view, {"test_codes"})
    values = retrieval.score(**dict.fromkeys(("train_pixels", "test_pixels")), **found, test_labels=data.test.label)
    assert values == {"code_precision": 1, "code_probe": 1, "pixel_precision": None, "pixel_probe": None}
    assert evaluation.coded(Coder(), data, view, set()) == evaluation.coded(nn.Identity(), data, view, {"test_codes"})
    evaluation.save(tmp_path, 0, data, found)
    kept = read_retrieved(tmp_path / "retrieved/0.npz", "")
    assert kept.label.tolist() == [0, 1, 2] and kept.codes.shape == (3, evaluation.FOUND, 1, 8, 8)
    assert kept.codes_right.all() and kept.pixels is None
    assert read_retrieved(tmp_path / "retrieved/1.npz", "") is None


def kept(right: bool, pixels: bool) -> Retrieved:
    """Two black queries that find three white images."""
    white, told = np.full((2, 3, 1, 8, 8), 16, np.uint8), np.full((2, 3), right)
    query = np.zeros((2, 1, 8, 8), np.uint8)
    return Retrieved(query, np.arange(2), white, told, white if pixels else None, told if pixels else None, 17)


def made() -> Report:
    codes = {"code_precision": [0.5, 0.6], "code_probe": [0.7, 0.8]}
    best = {"code_precision": [0.9, 0.9], "code_probe": [0.9, 0.9], "pixel_precision": [0.8, 0.8]}
    found = report({"vae": codes, "gan": {"nats": [1.0, 1.0]}, ORACLE: best | {"pixel_probe": [0.85, 0.85]}}, levels=0)
    columns = tuple(Column(*column) for column in retrieval.COLUMNS)
    blank = {ORACLE: Samples(np.zeros((4, 1, 8, 8), np.uint8), None, 0, 17)}
    seen = {"vae": kept(False, False), ORACLE: kept(True, True)}
    return replace(found, columns=columns, samples=blank, retrieved=seen)


def test_baselines_stand_below_the_models(tmp_path: Path) -> None:
    fragment = section.render(made(), tmp_path)
    ((_, table),) = fragment.tables
    assert [(row.model, row.cells[0].text) for row in table.rows] == [
        ("vae", "55.00 ± 7.07"),
        ("judge", "90.00 ± 0.00"),
        ("pixels", "80.00 ± 0.00"),
    ]
    picture = np.asarray(Image.open(tmp_path / "retrieval.png").convert("RGB")).reshape(-1, 3).tolist()
    assert [255, 128, 128] in picture, "what has another label is red"
    assert section.render(report({"gan": {"nats": [1.0]}}), tmp_path) is None
