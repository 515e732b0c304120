"""Clips from data to evidence and report: what continues given frames, shuffled clips, their judge, and films."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_reports import fabricate, read
from torch import Generator, Tensor

import models
from benchmarks import datasets, metrics
from benchmarks.metrics import likelihood
from benchmarks.metrics.prediction import CLIPS, DRAWS
from models.common.protocol import Spec
from pipeline import data
from pipeline.data import Data
from pipeline.evaluation import clips, evidence, judging
from pipeline.evaluation.sampling import halves
from pipeline.evaluation.view import View
from pipeline.prepare import summary
from reports import sections, style
from reports.load import ORACLE, Report
from reports.sections import clips as films
from reports.sections import grids, snapshots
from reports.sections.likelihoods import predicted

MODELS = ("copy_last", "draws_by_law")
SETTINGS = {"train": 300, "validation": 50, "test": 240}


def loaded(folder: Path, **settings: int) -> Data:
    """Prepared clips, written and read back."""
    data.save(datasets.load("bouncing_digits", Path(), SETTINGS | settings), folder / "data.pt")
    return data.load(folder / "data.pt", "cpu")


@pytest.fixture(scope="module")
def resident(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return loaded(tmp_path_factory.mktemp("clips"))


def chance(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def evidence_of(resident: Data, name: str = "copy_last") -> dict:
    half = halves(resident, "bouncing_digits", 0, 120)
    if name == ORACLE:
        return evidence.of_oracle(resident, half.oracle, chance())
    wanted = metrics.needs(["motion", "prediction"])
    return evidence.of_model(
        models.load(name)(resident.spec), "bouncing_digits", resident, half.oracle, chance(), wanted
    )


def test_prepared_clips_say_what_is_given(resident: Data) -> None:
    assert resident.spec == Spec((12, 1, 16, 16), classes=10, levels=17, seen=4)
    assert resident.speed == 2
    splits = datasets.load("bouncing_digits", Path(), SETTINGS)
    assert summary(splits).startswith("clips of 12 x 1 x 16 x 16 in 17 levels: 300 for training")


def test_bits_are_of_the_frames_that_are_not_given(resident: Data, tmp_path: Path) -> None:
    """A uniform law over 17 levels costs log2(17) bits for each number that it predicts."""
    half = halves(resident, "bouncing_digits", 0, 120)
    dims = View(tmp_path / "none", resident, half.reference).compared(set())["dims"]
    assert dims == 8 * 16 * 16
    uniform = torch.full((3,), -dims * math.log(17.0))
    scores = likelihood.score(log_prob=uniform, train_log_prob=None, dims=dims, levels=17)
    assert scores["bits_per_dim"] == pytest.approx(math.log2(17))


def test_the_last_frame_is_copied_and_needs_one(resident: Data) -> None:
    given = resident.as_input(resident.test.x[:5, :4])
    fake = models.load("copy_last")(resident.spec).sample(5, given, chance())
    assert torch.equal(fake[:, :4], given) and torch.equal(fake[:, 4:], given[:, 3:].expand(-1, 8, -1, -1, -1))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Spec((12, 1, 16, 16), levels=17), r"needs the first 1 frames of a clip, .* 0 are given: choose seen = 1 or"),
        (
            Spec((4, 1, 16, 16), levels=17, seen=4),
            r"no frame to predict: of clips of shape \(4, 1, 16, 16\) 4 are given",
        ),
        (Spec((1, 8, 8), levels=17), r"needs clips with grey levels, the data are of 17 and shape \(1, 8, 8\)"),
        (Spec((2,)), r"needs clips with grey levels, the data are of 0 and shape \(2,\)"),
    ],
)
def test_data_that_do_not_fit_are_refused_in_one_line(spec: Spec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.load("copy_last")(spec)


def test_samples_and_draws_continue_the_same_test_clips(resident: Data) -> None:
    found, half = evidence_of(resident), halves(resident, "bouncing_digits", 0, 120).oracle
    target = resident.as_input(resident.test.x[half])
    assert torch.equal(found["true_clips"], target) and torch.equal(
        found["true_clip_labels"], resident.test.labels[half]
    )
    assert torch.equal(found["fake"][:, :4], target[:, :4])
    assert found["continuations"].shape == (DRAWS, CLIPS, 12, 1, 16, 16)
    assert torch.equal(found["continued"], target[:CLIPS])
    for draw in found["continuations"]:
        assert torch.equal(draw, found["fake"][:CLIPS])
    assert (found["seen"], found["speed"], found["broken"]) == (4, 2, False)


def test_the_oracle_shows_the_truth_and_draws_of_the_law(resident: Data) -> None:
    found = evidence_of(resident, ORACLE)
    assert torch.equal(found["fake"], found["true_clips"])
    assert found["continuations"].shape == (DRAWS, CLIPS, 12, 1, 16, 16)
    assert torch.equal(found["continuations"][:, :, :4], found["continued"][:, :4].expand(DRAWS, -1, -1, -1, -1, -1))
    assert not torch.equal(found["continuations"][0], found["continuations"][1])
    values = metrics.evaluate(["motion"], found)
    assert values["trajectory"] == 0 and values["lawful"] == 1 and values["digit_kept"] == 1 and values["spread"] > 2


def test_a_model_that_predicts_no_numbers_is_broken(resident: Data) -> None:
    class Broken(torch.nn.Module):
        given = "clip"

        def sample(self, n: int, given: Tensor, rng: Generator) -> Tensor:
            return torch.cat([given, torch.full((n, 8, 1, 16, 16), torch.nan)], 1)

    half = halves(resident, "bouncing_digits", 0, 120)
    found = evidence.of_model(Broken(), "bouncing_digits", resident, half.oracle, chance(), {"continuations"})
    assert found["broken"]


def test_where_nothing_is_given_nothing_is_continued(tmp_path: Path) -> None:
    free = loaded(tmp_path, seen=0)
    assert free.spec.seen == 0
    found = evidence_of(free, "independent")
    assert found["fake"].shape == (120, 12, 1, 16, 16) and not {"true_clips", "continuations"} & found.keys()
    assert "continuations" not in evidence_of(free, ORACLE)
    assert set(metrics.evaluate(["motion", "prediction"], found).values()) == {None}


def test_two_digits_have_no_law_to_draw_from(tmp_path: Path) -> None:
    found = evidence_of(loaded(tmp_path, count=2), ORACLE)
    assert "continuations" not in found and set(metrics.evaluate(["motion", "prediction"], found).values()) == {None}


def test_shuffled_clips_have_the_frames_of_real_ones(resident: Data) -> None:
    half = torch.arange(40)
    found, again = clips.shuffled(resident, half), clips.shuffled(resident, half)
    assert torch.equal(found, again) and found.shape == (40, 12, 1, 16, 16)
    real = resident.as_input(resident.test.x[:40])
    assert not torch.equal(found, real)
    for one, other in zip(found, real, strict=True):
        assert sorted(one.flatten(1).tolist()) == sorted(other.flatten(1).tolist())


def test_the_judge_of_clips_learns_digits_and_headings(tmp_path: Path) -> None:
    files = tmp_path / "data.pt", tmp_path / "judge.pt", tmp_path / "judge.json"
    resident = loaded(tmp_path)
    said = judging.train("bouncing_digits", {"epochs": 1, "batch": 50, "lr": 0.003}, *files)
    assert "of 240 test clips rightly" in said and "less than 51.25%, which is halfway" in said
    judge = judging.load_judge(files[1], "cpu")
    assert judge.shape == (12, 1, 16, 16) and judge.classes == 40
    x, label = judging.shown(resident, resident.train)
    assert torch.equal(label // 4, resident.train.labels) and label.max() < 40 and x.shape == (300, 12, 1, 16, 16)
    view = View(files[1], resident, torch.arange(100))
    assert view.judge is None, "it is not trusted"
    assert view.compared(set())["classes"] == 40


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, resident: Data) -> Path:
    """Results of two models, of which one draws, and the oracle."""
    root, stored = tmp_path_factory.mktemp("report") / "scores", resident.test.x[:60].numpy()
    fabricate(root, stored, MODELS)
    for model, name in ((ORACLE, ORACLE), ("copy_last", "copy_last"), ("draws_by_law", ORACLE)):
        clips.save(root / model / "samples", 0, resident, evidence_of(resident, name))
    for path in root.glob("*/samples/*.npz"):
        np.savez_compressed(path, x=stored, levels=17)
    return root


@pytest.fixture(scope="module")
def report(root: Path) -> Report:
    return read(root, MODELS)


def test_strips_show_what_is_given_the_truth_and_draws(report: Report, tmp_path: Path) -> None:
    rows = films.rows_of(report, 0)
    assert [name for name, _, _ in rows] == [
        "truth",
        "law",
        "another draw",
        "copy_last",
        "draws_by_law",
        "another draw",
    ]
    truth = rows[0][2]
    assert all(np.array_equal(film[:4], truth[:4]) for _, _, film in rows)
    out = tmp_path / "out"
    out.mkdir()
    fragment = films.render(report, out)
    assert [picture.file for picture in fragment.pictures] == ["strips.png", "by_frame.png"]
    assert {path.name for path in (out / "clips").iterdir()} == {"oracle.gif", "copy_last.gif", "draws_by_law.gif"}
    film = Image.open(out / "clips/copy_last.gif")
    assert film.n_frames == 12 and film.info["loop"] == 0


def test_moving_pictures_are_the_clips(report: Report, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    films.moving(report, "draws_by_law", report.samples["draws_by_law"], tmp_path)
    film, known = Image.open(tmp_path / "clips/draws_by_law.gif"), report.clips["draws_by_law"]
    for time in (0, 7, 11):
        film.seek(time)
        grey = np.asarray(film.convert("L"))[::4, ::4][:16, :16]  # enlarged four times, the first true clip
        meant = (known.true[0, time, 0].astype(float) * 255 / 16).round()
        assert np.abs(grey - meant).max() <= 1


def test_sheets_and_snapshots_show_clips(report: Report, tmp_path: Path) -> None:
    taken = replace(report, snapshots={"copy_last": dict.fromkeys((100, 200), report.samples["copy_last"])})
    assert grids.render(taken, tmp_path) is not None and snapshots.render(taken, tmp_path) is not None
    sheet = np.asarray(Image.open(tmp_path / "grids/oracle.png"))
    height = sheet.shape[0] / sheet.shape[1]
    assert height == pytest.approx((10 * 17 - 1) / (12 * 17 - 1)), "ten clips, a row each"


def test_a_page_of_clips_where_nothing_is_given(report: Report, tmp_path: Path) -> None:
    free = replace(report, clips={})
    with style.sheet():
        fragment = films.render(free, tmp_path)
    assert not fragment.pictures and len(fragment.gallery) == 3
    assert Image.open(tmp_path / "clips/oracle.gif").n_frames == 12


def test_all_sections_take_clips(report: Report, tmp_path: Path) -> None:
    titles = [fragment.title for fragment in sections.render(report, tmp_path)]
    assert {"Clips", "Samples"} <= set(titles)


def test_a_uniform_law_is_of_the_frames_that_are_predicted(report: Report) -> None:
    assert predicted(report) == 8 * 16 * 16
    assert predicted(replace(report, clips={})) == 12 * 16 * 16


def test_a_damaged_file_of_clips_is_named(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "scores")
    path = copy / "copy_last/samples/clips/0.npz"
    with np.load(path) as file:
        content = dict(file)
    np.savez_compressed(path, **content | {"draws": content["draws"][:, :2]})
    with pytest.raises(ValueError, match=r"clips/0\.npz is damaged .* are not clips and their continuations"):
        read(copy, MODELS)
