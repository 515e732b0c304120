"""The whole pipeline for real, in a clone with tiny budgets: what runs, what does not, what survives a kill."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from clones import copy, edit_params, leave, processes_in, run, succeed, variables, wait_for

from pipeline.tensors import load_tensors

ROOT = Path(__file__).parents[1]
MODELS = {"toys": ["vae", "gmm", "wgan"], "images": ["cgan", "pixelcnn"]}
pytestmark = pytest.mark.timeout(6000)


def set_params(clone: Path, **training: object) -> None:
    """A suite of ring and digits with few models, seeds and steps."""
    board = yaml.safe_load((clone / "params.yaml").read_text())
    board |= {"suites": {"embedded": ["ring", "digits"]}, "seeds": 2}
    for kind, names in MODELS.items():
        board[kind]["models"] = {name: board[kind]["models"].get(name) or {"model": name} for name in names}
        board[kind]["training"] |= {"steps": 20, "batch": 32, "snapshots": 2, "snapshot_samples": 30, **training}
        board[kind]["evaluation"]["samples"] = 100
    board["images"]["judge"]["epochs"] = 1
    board["images"]["models"]["pixelcnn"] = {"model": "pixelcnn", "width": 8, "depth": 1}
    (clone / "params.yaml").write_text(yaml.safe_dump(board))


@pytest.fixture(autouse=True)
def own_parameters(clone: Path) -> None:
    """What a test sets must not reach the next one, also if it fails."""
    set_params(clone)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository like a fresh clone, reproduced once."""
    place = tmp_path_factory.mktemp("clone")
    copy(place)
    leave(place, "ring", "digits")
    set_params(place)
    succeed(place, "dvc", "repro", "-q")
    yield place
    shutil.rmtree(place)


def test_everything_is_made(clone: Path) -> None:
    for benchmark, kind in (("ring", "toys"), ("digits", "images")):
        for model in [*MODELS[kind], "oracle"]:
            scores = json.loads((clone / f"reports/scores/{benchmark}/{model}/scores.json").read_text())
            assert [row["status"] for row in scores["seeds"]] == ["finished"] * 2
            assert scores["mean"]
        page = clone / "reports/rendered/benchmarks" / benchmark
        assert {"index.html", "table.md", "table.csv", "table.tex", "curves.png"} <= {
            file.name for file in page.iterdir()
        }
    assert (clone / "reports/rendered/index.html").exists()
    assert not list((clone / "artifacts/work").glob("*/*/*/*")), "a finished cell leaves no work behind"


def test_nothing_runs_again(clone: Path) -> None:
    assert "Running stage" not in succeed(clone, "dvc", "repro")
    assert json.loads(succeed(clone, "dvc", "status", "--json")) == {}


def test_dvc_shows_metrics_and_plots(clone: Path) -> None:
    shown = json.loads(run(clone, "dvc", "metrics", "show", "--json").stdout)[""]["data"]
    numbers = shown["reports/rendered/benchmarks/ring/headlines/wgan.json"]["data"]
    assert set(numbers) == {"score", "seconds", "diverged"} and not any("scores.json" in name for name in shown)
    succeed(clone, "dvc", "plots", "show", "--out", "plots")
    page = (clone / "plots/index.html").read_text()
    assert '"step": ' in page and '"model": "wgan"' in page and "https://cdn" not in page
    assert page.count("vegaEmbed(") < 20
    assert page.count('"values": [') == len(("ring", "digits")), "data are where Vega looks for them"


def test_progress_is_measured_at_the_snapshots(clone: Path) -> None:
    scores = clone / "reports/scores"
    lines = (scores / "ring/wgan/progress/1.csv").read_text().splitlines()
    assert lines[0].startswith("step,modes,") and lines[0].endswith(",held,lost,fell")
    assert [line.split(",")[0] for line in lines[1:]] == ["10", "20"]
    assert len((scores / "ring/gmm/progress/1.csv").read_text().splitlines()) == 1, "it samples after its end only"
    assert (scores / "digits/cgan/progress/0.csv").read_text().count("\n") == 3
    header, real = (scores / "ring/oracle/progress/0.csv").read_text().splitlines()
    assert header == lines[0] and real.startswith("0,8,"), "as many real data as a snapshot has"


@contextlib.contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """The file with one place changed, for a while."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)


def stale_after_code(clone: Path) -> set[str]:
    """What `dvc status` names once the code stage has run."""
    succeed(clone, "dvc", "repro", "-q", "code")
    return set(json.loads(succeed(clone, "dvc", "status", "--json")))


def test_an_edited_comment_or_docstring_makes_nothing_stale(clone: Path) -> None:
    with edited(clone / "models/common/nets.py", "import torch\n", "import torch  # the library\n"):
        assert stale_after_code(clone) == set()
    with edited(clone / "pipeline/training/engine.py", '"""', '"""In other words: '):
        assert stale_after_code(clone) == set()
    assert stale_after_code(clone) == set()


def test_an_edited_model_makes_only_its_cells_stale(clone: Path) -> None:
    with edited(clone / "models/wgan.py", "clip: float = 0.01", "clip: float = 0.02"):
        stale = stale_after_code(clone)
    assert stale == {"benchmarks/ring/dvc.yaml:train@wgan", "benchmarks/ring/dvc.yaml:evaluate@wgan"}
    assert stale_after_code(clone) == set()


def test_an_edited_metric_makes_evaluations_stale_that_name_it(clone: Path) -> None:
    with edited(clone / "benchmarks/metrics/modes.py", "FIRST = 2500", "FIRST = 2400"):
        stale = stale_after_code(clone)
    cells = {f"evaluate@{model}" for model in MODELS["toys"]} | {"oracle"}
    assert stale == {f"benchmarks/ring/dvc.yaml:{cell}" for cell in cells}
    assert stale_after_code(clone) == set()


def test_a_parameter_makes_stale_what_reads_it(clone: Path) -> None:
    def wider(board: dict) -> None:
        board["toys"]["models"]["vae"]["width"] = 99

    kept = (clone / "params.yaml").read_text()
    edit_params(clone, wider)
    stale = stale_after_code(clone)
    (clone / "params.yaml").write_text(kept)
    assert {"benchmarks/ring/dvc.yaml:train@vae", "benchmarks/ring/dvc.yaml:evaluate@vae"} <= stale
    assert not {name for name in stale if "@" in name and name.split("@")[1] not in ("vae", "ring")}
    assert stale_after_code(clone) == set()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("train", "rings", "vae"), "unknown benchmark 'rings'; did you mean 'ring'?"),
        (("train", "ring", "vea"), "unknown model 'vea'; did you mean 'vae'?"),
        (("evaluate", "ring", "wgan_gp"), "unknown model 'wgan_gp'; did you mean 'wgan'?"),
        (("judge", "ring"), "ring has no judge"),
    ],
)
def test_a_bad_name_is_one_line(clone: Path, command: tuple[str, ...], message: str) -> None:
    done = run(clone, "pipeline/run", *command)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1


def test_a_batch_larger_than_the_data_is_one_line(clone: Path) -> None:
    set_params(clone, batch=5000)
    done = run(clone, "pipeline/run", "train", "digits", "cgan")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: batch = 5000 does not fit the 900 training data")


def test_a_damaged_output_of_an_earlier_stage_is_named(clone: Path) -> None:
    path = clone / "artifacts/ring/data/data.pt"
    kept = path.read_bytes()
    path.unlink()  # it may be a link into DVC's cache
    path.write_bytes(kept[:1000])
    try:
        done = run(clone, "pipeline/run", "evaluate", "ring", "oracle")
    finally:
        path.write_bytes(kept)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and "data.pt is damaged (" in last and "delete it and run `dvc repro" in last


def states(clone: Path) -> list[dict[str, torch.Tensor]]:
    folder = clone / "artifacts/ring/vae/weights"
    return [load_tensors(path)["state"] for path in sorted(folder.iterdir())]


def forget(clone: Path) -> None:
    """Seeds that are there would be taken up."""
    shutil.rmtree(clone / "artifacts/ring/vae/weights")


def same(left: list[dict[str, torch.Tensor]], right: list[dict[str, torch.Tensor]]) -> bool:
    pairs = zip(left, right, strict=True)
    return all(one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one) for one, two in pairs)


def test_seeds_do_not_depend_on_the_number_of_workers(clone: Path) -> None:
    before = states(clone)
    forget(clone)
    succeed(clone, "pipeline/run", "train", "ring", "vae", BENCHMARK_WORKERS="1")
    assert len(before) == 2 and not same(before[:1], before[1:]) and same(before, states(clone))


def test_a_killed_dvc_leaves_nothing_running_and_the_cell_carries_on(clone: Path) -> None:
    set_params(clone, steps=3000)
    succeed(clone, "pipeline/run", "train", "ring", "vae")
    whole = states(clone)
    forget(clone)
    process = subprocess.Popen(
        ["dvc", "repro", "-f", "-s", "benchmarks/ring/dvc.yaml:train@vae"],
        cwd=clone,
        env=variables(BENCHMARK_WORKERS="1", BENCHMARK_CHECKPOINT_EVERY="0.01"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: list((clone / "artifacts/work/ring/vae").glob("*/1.checkpoint")))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: not processes_in(clone))
    (work,) = (clone / "artifacts/work/ring/vae").glob("train-*")
    assert (work / "0.json").exists() and not (work / "1.json").exists(), "killed in the second of two seeds"
    assert not (clone / "artifacts/ring/vae/weights").exists(), "no half-written output"
    (work / "0.json").write_text(json.dumps(json.loads((work / "0.json").read_text()) | {"seconds": 12345.0}))
    succeed(clone, "dvc", "repro", "-s", "benchmarks/ring/dvc.yaml:train@vae")
    record = json.loads((clone / "reports/scores/ring/vae/training.json").read_text())
    assert record["seeds"][0]["seconds"] == 12345.0, "the finished seed was not trained again"
    assert same(whole, states(clone))


def test_ctrl_c_is_one_line_and_nothing_runs_on(clone: Path) -> None:
    set_params(clone, steps=100_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.train", "ring", "vae"],
        cwd=clone,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: len(processes_in(clone)) > 4)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
    _, errors = process.communicate()
    assert process.returncode == 130 and "Traceback" not in errors
    assert errors.splitlines()[-1] == "error: interrupted; the same command carries on where this one stopped"
    wait_for(lambda: not processes_in(clone))


def test_an_experiment_runs_and_is_compared(clone: Path) -> None:
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
    succeed(clone, *git, "add", "-A")
    succeed(clone, *git, "commit", "-qm", "results")
    succeed(clone, "dvc", "exp", "run", "-S", "toys.models.vae.latent=3", "report@ring")
    changed = succeed(clone, "dvc", "metrics", "diff", "--targets", "reports/rendered/benchmarks/ring/headlines")
    assert "nats" in changed and "vae" in changed
    shown = succeed(clone, "dvc", "exp", "show", "--csv")
    assert "toys.models.vae.latent" in shown


def test_divergence_is_a_result(clone: Path) -> None:
    board = yaml.safe_load((clone / "params.yaml").read_text())
    board["toys"]["models"]["vae"] = {"model": "vae", "lr": 1e6}
    (clone / "params.yaml").write_text(yaml.safe_dump(board))
    output = succeed(clone, "dvc", "repro", "report@ring")
    assert "diverged (model, step" in output
    rows = json.loads((clone / "reports/scores/ring/vae/scores.json").read_text())["seeds"]
    assert [row["status"] for row in rows] == ["diverged"] * 2 and rows[0]["player"] == "model"
    assert "2/2 diverged" in (clone / "reports/rendered/benchmarks/ring/table.md").read_text()


def test_a_dependency_edited_while_a_cell_trains_fails_the_stage(clone: Path) -> None:
    set_params(clone, steps=3000)
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.train", "ring", "vae"], cwd=clone, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: list((clone / "artifacts/work/ring/vae").glob("train-*")))
    with edited(clone / "models/vae.py", "class Model", "EDITED = True\n\n\nclass Model"):
        _, errors = process.communicate()
    assert process.returncode == 1
    assert "models/vae.py changed while ring/vae was training; run the same command again" in errors


def test_more_seeds_are_added_to_those_that_are_there(clone: Path) -> None:
    def trained() -> list[dict]:
        return json.loads((clone / "reports/scores/ring/wgan/training.json").read_text())["seeds"]

    before = trained()
    board = yaml.safe_load((clone / "params.yaml").read_text())
    (clone / "params.yaml").write_text(yaml.safe_dump(board | {"seeds": 3}))
    succeed(clone, "dvc", "repro", "benchmarks/ring/dvc.yaml:evaluate@wgan")
    assert trained()[:2] == before, "their seconds, too, are those of the first run"
    assert len(trained()) == 3
    rows = json.loads((clone / "reports/scores/ring/wgan/scores.json").read_text())["seeds"]
    assert [row["status"] for row in rows] == ["finished"] * 3
