"""The report stage in a project of its own, with fabricated scores and samples."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from test_reports import POINTS, fabricate

from benchmarks import datasets
from pipeline import data, params, report
from pipeline.cell import ORACLE, RENDERED, Cell, data_file, rendered_dir, scores_dir
from pipeline.stage import describe

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with the ring's data and made-up results of a few models."""
    for folder in ("models", "benchmarks"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    board = yaml.safe_load((ROOT / "params.yaml").read_text())
    board["toys"]["models"] = {name: board["toys"]["models"][name] for name in ("vae", "gan", "wgan", "wgan_gp")}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(board))
    monkeypatch.chdir(tmp_path)
    params.load.cache_clear()
    data.save(datasets.load("ring", tmp_path, {"train": 800, "test": 400}), data_file("ring"))
    models = tuple(params.load().benchmark("ring").models)
    fabricate(scores_dir("ring"), POINTS, models)
    for model in (*models, ORACLE):
        Cell("ring", model).samples.parent.mkdir(parents=True)
        shutil.move(scores_dir("ring") / model / "samples", Cell("ring", model).samples)
    yield
    params.load.cache_clear()


def ring() -> params.Benchmark:
    return params.load().benchmark("ring")


def interpreter(path: Path, script: str) -> str:
    """A stand-in for the Python that the importer is started with."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.usefixtures("project")
def test_a_page_takes_its_place_whole(capsys: pytest.CaptureFixture[str]) -> None:
    rendered_dir("ring").mkdir(parents=True)
    (rendered_dir("ring") / "of_a_model_that_is_gone.png").write_text("")
    report.write_page(ring())
    assert [path.name for path in rendered_dir("ring").parent.iterdir()] == ["ring"]
    assert not list(rendered_dir("ring").glob("of_a_model*"))
    html = (rendered_dir("ring") / "index.html").read_text()
    assert f"{ring().training.steps:,} steps" in html and 'href="../../index.html"' in html
    assert "ring/index.html" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_a_report_that_fails_leaves_the_old_page() -> None:
    report.write_page(ring())
    before = (rendered_dir("ring") / "index.html").read_bytes()
    Cell("ring", "gan").scores.unlink()
    with pytest.raises(OSError, match="is missing") as caught:
        report.write_page(ring())
    assert describe(caught.value) == str(caught.value)
    assert (rendered_dir("ring") / "index.html").read_bytes() == before


@pytest.mark.usefixtures("project")
def test_outside_the_suite_a_page_names_the_cells_that_have_not_been_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params.load(), "suite", ["grid"])
    shutil.rmtree(scores_dir("ring") / "gan")
    report.write_page(ring())
    html = (rendered_dir("ring") / "index.html").read_text()
    assert "Not run" in html
    assert set(report.gather(ring()).models) == set(ring().models) - {"gan"}
    (scores_dir("ring") / "wgan/scores.json").write_text("{")
    with pytest.raises(ValueError, match=r"wgan/scores\.json is damaged"):
        report.write_page(ring())


@pytest.mark.usefixtures("project")
def test_floors_and_what_is_said_against_the_judge_reach_the_page() -> None:
    judged = ring().model_copy(
        update={
            "judge": params.load().benchmark("digits").judge,
            "floors": {"distance": "gan", "nats": "gmm", "x": 2.0},
        }
    )
    (scores_dir("ring") / "gan/scores.json").write_text(
        json.dumps(json.loads((scores_dir("ring") / "gan/scores.json").read_text()) | {"mean": {"distance": 7.5}})
    )
    judge = {"accuracy": 0.5}
    (scores_dir("ring") / "judge.json").write_text(json.dumps(judge))
    assert report.gather(judged).floors == {"distance": 7.5, "x": 2.0}  # gmm has not been run
    assert report.gather(ring()).ranked == ("modes", "high_quality", "reverse_kl", "w1", "coverage")


@pytest.mark.usefixtures("project")
def test_the_density_is_the_truth_where_it_is_drawn() -> None:
    density, modes = report.truth("ring")
    assert density is not None and density.values.shape == (len(density.ys), len(density.xs))
    assert modes == "8 Gaussians, neighbours 76.5 standard deviations apart"  # 200 sin(pi / 8)
    truth = data.load(data_file("ring"), "cpu").truth
    x, y = density.xs[300], density.ys[120]
    assert density.values[120, 300] == pytest.approx(truth.log_density(torch.tensor([[x, y]])).item(), rel=1e-4)
    assert min(density.xs[-1], density.ys[-1], -density.xs[0], -density.ys[0]) > 2
    data.save(datasets.load("ring", Path(), {"train": 800, "test": 400})._replace(truth=None), data_file("ring"))
    assert report.truth("ring") == (None, "")


@pytest.mark.usefixtures("project")
def test_a_store_that_fails_costs_a_line_and_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path / "python", "echo 'error: no server' >&2; exit 1"))
    monkeypatch.setattr(sys, "argv", ["report", "ring"])
    report.main()
    said = capsys.readouterr().err.splitlines()
    assert said == ["warning: not in MLflow: no server; `python -m pipeline.tracking ring` tries again"]
    assert (rendered_dir("ring") / "index.html").exists()


@pytest.mark.usefixtures("project")
def test_index_and_summary(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    report.write_page(ring())
    monkeypatch.setattr(sys, "argv", ["report", "--index"])
    report.main()
    assert 'href="benchmarks/ring/index.html"' in (RENDERED / "index.html").read_text()
    assert "## ring" in (RENDERED / "README.md").read_text()
    assert [path.name for path in (RENDERED / "suite").iterdir()] == ["README.md"], (
        "an output of the stage, there always"
    )
    (RENDERED / "suite/of_two_that_are_gone.csv").write_text("")
    report.write_index()
    assert [path.name for path in (RENDERED / "suite").iterdir()] == ["README.md"]
    monkeypatch.setattr(sys, "argv", ["report", "--suite", "embedded"])
    with pytest.raises(OSError, match=r"table\.csv is missing"):
        report.main()  # the others are in the suite too, but have no page
    for name in set(params.load().suite) - {"ring"}:
        shutil.copytree(rendered_dir("ring"), rendered_dir(name))
    capsys.readouterr()
    report.main()
    printed = capsys.readouterr().out
    assert (
        max(map(len, printed.splitlines())) <= 120 and "make ui" in printed and "reports/rendered/index.html" in printed
    )
    assert all(f"{model} " in printed for model in ring().models)
