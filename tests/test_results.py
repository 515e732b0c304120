"""Results for one's own code: data frames of all scores, trained models; docs/results.md shows both and is run here."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import models
import reports
from benchmarks import datasets
from pipeline import data, params
from pipeline.cell import Cell, data_file
from pipeline.tensors import model_state, save_tensors
from pipeline.tools.trained import load

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which two models of the ring are trained, for no step; seed 1 has diverged."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("params.yaml", "benchmarks", "models"):
        (folder / name).symlink_to(ROOT / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BENCHMARK_DEVICE", "cpu")
        params.load.cache_clear()
        data.save(datasets.load("ring", Path(), {"train": 500, "validation": 100, "test": 100}), data_file("ring"))
        spec = data.load(data_file("ring"), "cpu").spec
        for name in ("gan", "cgan"):
            model = models.build(name, spec, params.load().benchmark("ring").models[name].settings)
            end = {"status": "finished", "step": 0, "player": "", "state": model_state(model)}
            save_tensors(Cell("ring", name).weights / "0.pt", end)
            save_tensors(Cell("ring", name).weights / "1.pt", {**end, "status": "diverged", "step": 7, "state": {}})
    params.load.cache_clear()
    return folder


@pytest.fixture
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    params.load.cache_clear()


def test_the_page_of_the_results_runs(here: None, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/results.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert names["x"].shape == (1000, 2) and names["threes"].shape == (100, 2) and names["each"].shape == (8, 2)
    assert "lower Frechet distance" in capsys.readouterr().out


def test_a_frame_has_every_value_of_every_seed() -> None:
    scores = json.loads((ROOT / "reports/scores/ring/gan/scores.json").read_text())
    long, wide = reports.results("ring"), reports.results("ring", wide=True)
    assert list(long) == ["benchmark", "model", "seed", "status", "metric", "value"] and not long.value.isna().any()
    assert not long.duplicated(["benchmark", "model", "seed", "metric"]).any()
    for row in scores["seeds"]:
        mine = wide[(wide.model == "gan") & (wide.seed == row["seed"])].iloc[0]
        assert mine.modes == row["modes"] and (mine.isna()["nats"] if row["nats"] is None else mine.nats == row["nats"])
    assert len(wide) == len(wide.drop_duplicates(["model", "seed"])) and "oracle" in set(wide.model)
    assert "seconds" in set(wide) and set(reports.columns("ring").metric) >= set(long.metric)


def test_all_benchmarks_stand_in_one_frame_and_diverged_seeds_have_a_row_in_the_wide_one(tmp_path: Path) -> None:
    for benchmark in ("one", "two"):
        rows = [{"seed": 0, "status": "finished", "fd": 1.5}, {"seed": 1, "status": "diverged", "step": 3}]
        column = {"name": "fd", "label": "FD", "direction": "lower", "decimals": 1}
        (folder := tmp_path / benchmark / "gan").mkdir(parents=True)
        (folder / "scores.json").write_text(json.dumps({"seeds": rows, "columns": [column], "protocol": []}))
        (folder / "training.json").write_text(json.dumps({"seeds": [{"seed": 0, "seconds": 2.0}]}))
    assert reports.results(scores=tmp_path).query("metric == 'fd'").value.tolist() == [1.5, 1.5]
    wide = reports.results(["two"], wide=True, scores=tmp_path)
    assert wide.status.tolist() == ["finished", "diverged"] and pd.isna(wide.fd[1])
    with pytest.raises(ValueError, match=r"no results of 'three' in .*; there are one, two"):
        reports.results("three", scores=tmp_path)
    with pytest.raises(ValueError, match="benchmarks is 3: give a name, several in a list, or none for all"):
        reports.results(3, scores=tmp_path)  # type: ignore[arg-type]


def test_a_trained_model_gives_the_same_samples_again(here: None) -> None:
    gan = load("ring", "gan")
    assert torch.equal(gan.sample(5), gan.sample(5)) and not torch.equal(gan.sample(5), gan.sample(5, seed=1))
    cgan = load("ring", "cgan")
    assert torch.equal(cgan.sample(6, given=3), cgan.sample(6, given=torch.full((6,), 3)))
    assert cgan.model.given == "label" and len(cgan.sample(6)) == 6


@pytest.mark.parametrize(
    ("model", "seed", "said"),
    [
        ("vae", 0, "ring/vae was not trained here: run `dvc repro benchmarks/ring/dvc.yaml:train@vae` first"),
        ("gan", 5, "seed 5 of ring/gan was not trained here: there are seeds 0, 1"),
        ("gan", 1, "seed 1 of ring/gan diverged at step 7: choose another seed"),
        ("gann", 0, "unknown model 'gann'; did you mean 'gan'?"),
    ],
)
def test_what_was_not_trained_is_said_with_the_remedy(here: None, model: str, seed: int, said: str) -> None:
    with pytest.raises((ValueError, OSError), match=re.escape(said)):
        load("ring", model, seed)


@pytest.mark.parametrize(("name", "value"), [("n", 0), ("n", -1), ("n", "x"), ("n", 2.0), ("seed", 1.5), ("seed", -1)])
def test_how_many_and_from_which_seed_are_whole_numbers(here: None, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is {value!r}: give a whole number, [01] or more$"):
        load("ring", "gan").sample(**{"n": 2, name: value})
    if name == "seed":
        with pytest.raises(ValueError, match=r"^seed is .*: give a whole number"):
            load("ring", "gan", value)


def test_what_a_model_is_given_is_checked(here: None) -> None:
    with pytest.raises(ValueError, match="gan is given nothing"):
        load("ring", "gan").sample(2, given=1)
    with pytest.raises(ValueError, match="labels are 0 to 7, not 9 to 9"):
        load("ring", "cgan").sample(2, given=9)
    with pytest.raises(ValueError, match="given has 3 entries for 2 samples"):
        load("ring", "cgan").sample(2, given=torch.zeros(3))


def test_weights_of_other_settings_are_refused(here: None, tmp_path: Path) -> None:
    file = Cell("ring", "cgan").weights / "2.pt"
    save_tensors(file, {"status": "finished", "step": 0, "player": "", "state": {"other": torch.zeros(1)}})
    with pytest.raises(ValueError, match="is of other code or settings than are here now"):
        load("ring", "cgan", 2)
