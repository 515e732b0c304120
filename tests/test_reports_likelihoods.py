"""The sections of likelihoods: one scale for ours, baselines and published figures; rate against distortion."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import metrics
from reports import tables
from reports.load import ORACLE, OUTCOME, Column, Report, tidy
from reports.samples import Pixels, Samples, read_pixels
from reports.sections import likelihoods, published, rate_distortion
from reports.statistics import compare

COLUMNS = tuple(Column(*column) for column in metrics.columns(["likelihood", "rate", "completion"]))
SIDE = 28
DIMS = SIDE**2
STATED = {"pixelcnn": "exact", "vae": "IWAE-50, a lower bound", "independent": "exact"}


def report(values: dict[str, dict[str, list[float]]], benchmark: str = "mnist_binary", levels: int = 2) -> Report:
    """Of each model's values over seeds, by column; bits per dimension follow where there are levels."""
    rows = [
        (model, seed, name, value)
        for model, columns in values.items()
        for name, found in columns.items()
        for seed, value in enumerate(found)
    ]
    if levels:
        rows += [(m, s, "bits_per_dim", v / (DIMS * math.log(2))) for m, s, name, v in rows if name == "nats"]
    frame = pd.DataFrame(rows, columns=["model", "seed", "metric", "value"])
    ended = [(model, seed, "finished") for model in dict.fromkeys([*values, ORACLE]) for seed in range(2)]
    seeds = pd.DataFrame(ended, columns=OUTCOME[:3]).assign(**dict.fromkeys(OUTCOME[3:]))
    x = np.zeros((4, 1, SIDE, SIDE), np.uint8) if levels else np.zeros((4, 2), np.float32)
    return Report(
        benchmark=benchmark,
        kind="binary",
        models=tuple(model for model in values if model != ORACLE),
        columns=COLUMNS,
        protocol=(),
        seeds=seeds.assign(estimator=seeds.model.map(STATED)),
        scores=frame,
        curves=tidy("player"),
        progress=tidy("metric"),
        samples={ORACLE: Samples(x, None, 0, levels)},
        snapshots={},
    )


BINARY = {
    "independent": {"nats": [206.0, 206.2]},
    "vae": {"nats": [89.0, 89.2]},
    "pixelcnn": {"nats": [81.0, 81.1]},
    "gan": {"rate": [1.0, 1.0]},
}


def test_everything_stands_on_one_scale(tmp_path: Path) -> None:
    fragment = likelihoods.render(report(BINARY), tmp_path)
    assert fragment is not None
    (_, table), *_ = fragment.tables
    nats = [float(row.cells[0].text.split(" ± ")[0]) for row in table.rows]
    assert nats == sorted(nats)
    order = [row.model for row in table.rows if row.note != "published"]
    assert order == ["pixelcnn", "vae", "independent", likelihoods.UNIFORM]
    assert len(table.rows) == 4 + published.figures_on("mnist_binary").metric.isin(["nats", "bits_per_dim"]).sum()
    assert "`gan`" not in (tmp_path / "likelihoods.md").read_text()


def test_an_infinite_likelihood_is_stated_last(tmp_path: Path) -> None:
    made = report(BINARY)
    seeds = made.seeds.assign(estimator=made.seeds.estimator.where(made.seeds.model != "gan", "exact"))
    (_, table), *_ = likelihoods.render(replace(made, seeds=seeds), tmp_path).tables
    assert table.rows[-1].model == "gan" and table.rows[-1].cells[0].text == "n/a"


def test_how_a_likelihood_is_stated_is_said(tmp_path: Path) -> None:
    (_, table), *_ = likelihoods.render(report(BINARY), tmp_path).tables
    rows = {row.model: row for row in table.rows if row.note != "published"}
    assert [rows[model].cells[-1].text for model in STATED] == list(STATED.values())
    assert rows["independent"].note == "baseline: independent numbers"
    uniform = rows[likelihoods.UNIFORM]
    assert [cell.text for cell in uniform.cells] == ["543.43", "1.000", "784 log 2"]
    for row in table.rows:
        assert row.note != "published" or "binarisation" in row.cells[-1].text


def test_published_figures_are_as_printed_and_in_both_units(tmp_path: Path) -> None:
    (_, table), *_ = likelihoods.render(report(BINARY, "cifar10", levels=256), tmp_path).tables
    known = {row.model: row.cells for row in table.rows if row.note == "published"}
    nats, bits, _ = known["Diagonal BiLSTM"]
    assert bits.text == "3.00" and float(nats.text) == pytest.approx(3 * DIMS * math.log(2), abs=0.01)
    assert "arXiv:1601.06759, Section 5" in (tmp_path / "likelihoods.md").read_text()


def test_of_points_the_truth_is_the_floor(tmp_path: Path) -> None:
    values = {"gmm": {"nats": [-2.8, -2.9]}, "vae": {"nats": [-1.0, -1.1]}, ORACLE: {"nats": [-2.95, -2.95]}}
    (_, table), *_ = likelihoods.render(report(values, "ring", levels=0), tmp_path).tables
    assert [(row.model, row.note) for row in table.rows] == [(ORACLE, "the true density"), ("gmm", ""), ("vae", "")]
    assert [row.cells[1].text for row in table.rows] == [tables.UNAVAILABLE] * 3


def test_without_likelihoods_there_is_no_section(tmp_path: Path) -> None:
    values = {"gan": {"rate": [1.0, 1.0]}, ORACLE: {"nats": [-2.95, -2.95]}}
    assert likelihoods.render(report(values, levels=0), tmp_path) is None
    assert rate_distortion.render(report({"gan": {"nats": [1.0]}}), tmp_path) is None
    assert not list(tmp_path.iterdir())


def pixels(path: Path, cheap: float = 0.1, dear: float = 2.0) -> Path:
    x = np.zeros((2, 1, SIDE, SIDE), np.uint8)
    nats = np.stack([np.full((1, SIDE, SIDE), value, np.float32) for value in (cheap, dear)])
    np.savez_compressed(path, x=x, nats=nats, levels=2)
    return path


def test_pixels_are_drawn_on_one_scale(tmp_path: Path) -> None:
    made = report(BINARY)
    found = read_pixels(pixels(tmp_path / "0.npz"), "`dvc repro`")
    assert isinstance(found, Pixels) and read_pixels(tmp_path / "1.npz", "`dvc repro`") is None
    made.pixels["pixelcnn"] = made.pixels["independent"] = found
    fragment = likelihoods.render(made, tmp_path)
    assert [picture.file for picture in fragment.pictures] == ["pixels.png"]
    axes = likelihoods.draw(made).axes
    assert [a.get_title("left") for a in axes[:4:2]] == ["independent", "least likely"]
    assert [a.get_title("right") for a in axes[1:4:2]] == ["78.4 nats", "1568.0 nats"]
    assert {a.images[0].get_clim() for a in axes[1:8:2]} == {(0, 2.0)}
    assert Image.open(tmp_path / "pixels.png").width > 400


def test_a_damaged_file_of_pixels_is_named(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "0.npz", x=np.zeros((2, 1, 4, 4)), nats=np.zeros((2, 1, 4, 5)), levels=2)
    with pytest.raises(ValueError, match=r"0\.npz is damaged .*`dvc repro` makes it anew"):
        read_pixels(tmp_path / "0.npz", "`dvc repro`")


TERMS = {
    "vae": {"rate": [20.0, 22.0], "distortion": [70.0, 66.0], "active_units": [9.0, 9.0]},
    "beta_vae_4": {"rate": [8.0, 9.0], "distortion": [95.0, 96.0]},
    "beta_vae_half": {"rate": [31.0, 30.0], "distortion": [60.0, 61.0]},
    "pixelcnn": {"nats": [81.0, 81.0]},
}


def test_rate_and_distortion_add_up_to_the_bound_of_each_seed(tmp_path: Path) -> None:
    fragment = rate_distortion.render(report(TERMS), tmp_path)
    (_, table), *_ = fragment.tables
    rows = {row.model: [cell.text for cell in row.cells] for row in table.rows}
    assert list(rows) == ["vae", "beta_vae_4", "beta_vae_half"]
    assert rows["vae"] == ["21.00 ± 1.41", "68.00 ± 2.83", "9.0 ± 0.0", "89.00 ± 1.41"]
    assert (tmp_path / "rate_distortion.md").exists()


def test_what_was_hidden_stands_below_the_table() -> None:
    made = report({"completer": {"hidden_nats": [30.0, 31.0]}})
    made.seeds.loc[made.seeds.model == "completer", "task"] = "1 of 4 quadrants seen, importance sampling, 100 draws"
    legend = tables.legend(made, compare(made))
    assert "Hidden part: 1 of 4 quadrants seen, importance sampling, 100 draws (completer)." in legend.protocol
