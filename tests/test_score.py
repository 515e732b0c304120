"""Any two sets are scored as the pipeline would, what does not fit is one line, and no code in a file is run."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import as_input, levels, points
from scoring import QUICK, Command, evidence, saved, values
from torch import Tensor

from benchmarks import inception, metrics
from benchmarks.datasets import Split, Splits
from benchmarks.extractors import ChannelJudge, Judge, describe
from pipeline import data, params
from pipeline.evaluation import judging
from pipeline.tools import export, score, sets

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")


def test_pixels_are_scored_as_the_metrics_score_them(tmp_path: Path) -> None:
    real, fake = levels(40, 0), levels(50, 1)
    found = values(saved(tmp_path / "real.npz", real), saved(tmp_path / "fake.npz", fake))
    seen = [as_input(x).flatten(1) for x in (real, fake)]
    evidence = {"real_features": seen[0], "fake_features": seen[1], "features_of": "coordinates"}
    expected = {key: value for key, value in metrics.evaluate(QUICK, evidence).items() if value is not None}
    assert found == pytest.approx(expected, rel=1e-6)


def test_equal_sets_score_best(tmp_path: Path) -> None:
    path = saved(tmp_path / "set.npz", levels(40, 0))
    found = values(path, path, chosen=["manifold"])
    assert (found["precision"], found["recall"], found["density"], found["coverage"]) == (1, 1, 1, 1)


@pytest.mark.parametrize(("kind", "channels", "classes"), [(Judge, 1, 10), (ChannelJudge, 3, 1000)])
def test_a_judge_gives_features_labels_and_classes(kind: type, channels: int, classes: int, tmp_path: Path) -> None:
    trained, x = kind((channels, 8, 8), 10), levels(40, 0, channels)
    judging.save_judge(trained, tmp_path / "judge.pt", 1.0)
    path = saved(tmp_path / "set.npz", x)
    found = evidence({"real": path, "fake": path}, f"judge:{tmp_path / 'judge.pt'}")
    assert (found["classes"], found["features_of"]) == (classes, "judge")
    seen = describe(trained, as_input(x))
    for key, value in seen._asdict().items():
        assert torch.equal(found[f"real_{key}"].cpu(), value)
    covered = values(path, path, f"judge:{tmp_path / 'judge.pt'}", ["stacked_modes"])["stacked_modes"]
    assert covered == len(seen.labels.unique())


def test_evidence_has_known_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", x=levels(30, 0), label=np.arange(30) % 10)
    found = evidence(dict.fromkeys(("real", "fake", "train"), tmp_path / "0.npz"), "pixels")
    assert found.keys() <= metrics.EVIDENCE.keys()


def test_inception_gives_its_own_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def extract(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1), x.flatten(1).softmax(dim=1)

    monkeypatch.setattr(inception, "extractor", lambda device: extract)
    real, fake = (saved(tmp_path / f"{name}.npz", levels(30, seed)) for name, seed in (("real", 0), ("fake", 1)))
    seen, pixels = values(real, fake, "inception"), values(real, fake)
    assert seen["fid"] == pytest.approx(pixels["fd"])  # this stub's features are the pixels
    assert "fjd" not in seen
    assert seen["recall"] == pixels["recall"]
    monkeypatch.setattr(inception, "extractor", lambda device: None)
    with pytest.raises(ValueError, match="Inception is unavailable, and why stands above"):
        values(real, fake, "inception")


def test_training_data_show_copies(tmp_path: Path) -> None:
    for name, x in (("real", points(60, 0)), ("train", points(60, 1)), ("fake", points(60, 1)[:40])):
        np.save(tmp_path / f"{name}.npy", x.numpy())
    paths = {name: tmp_path / f"{name}.npy" for name in ("real", "fake", "train")}
    found = {column.name: value for column, value in score.score(paths, "pixels", ["memorisation"]).values}
    assert found["authpct"] == 0


def test_the_command_prints_a_table_or_json(tmp_path: Path, command: Command) -> None:
    real, fake = (saved(tmp_path / f"{name}.npz", levels(30, seed)) for name, seed in (("real", 0), ("fake", 1)))
    code, out, _ = command(score, "--real", real, "--fake", fake, "--metrics", "manifold")
    assert code == 0
    assert f"fake      {fake}, 30 x 1 x 8 x 8" in out
    assert "Precision ↑" in out
    assert "k = 3" in out
    code, out, _ = command(score, "--real", real, "--fake", fake, "--metrics", "manifold", "--json")
    assert code == 0
    content = json.loads(out)
    read = {"range": [0, 255], "read": "read as 0 to 255 (integers)"}
    assert content["sets"]["real"] == {"path": str(real), "shape": [30, 1, 8, 8], **read}
    assert content["scores"] == values(real, fake, chosen=["manifold"])
    assert all(column["note"] for column in content["columns"])


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("form", ["pickle.npy", "object.npy", "object.npz", "pickle.pt", "torch.pt", "judge.pt"])
def test_a_malicious_file_is_refused_and_runs_nothing(form: str, tmp_path: Path, command: Command) -> None:
    trap, path, good = tmp_path / "executed", tmp_path / form, tmp_path / "good.npy"
    np.save(good, levels(30, 0).numpy())
    bad = np.array([Malicious(trap)], dtype=object)
    if form.startswith("pickle"):
        path.write_bytes(pickle.dumps(Malicious(trap)))
    elif form == "object.npy":
        np.save(path, bad, allow_pickle=True)
    elif form == "object.npz":
        np.savez(path, x=bad)
    else:
        torch.save({"x": Malicious(trap)}, path)
    extractor = f"judge:{path}" if form == "judge.pt" else "pixels"
    fake = good if form == "judge.pt" else path
    code, _, said = command(score, "--real", good, "--fake", fake, "--extractor", extractor)
    assert code == 1
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert form in said
    assert not trap.exists()
    if form == "pickle.npy":  # the trap does work
        pickle.loads(path.read_bytes())
        assert trap.exists()


@pytest.mark.parametrize(
    ("real", "fake", "extractor", "chosen", "message"),
    [
        (points(1, 0), points(9, 0), "pixels", QUICK, "real holds one sample: give 2 or more"),
        (points(9, 0), points(9, 0, 3), "pixels", QUICK, r"real holds samples of the shape \(2,\) and fake of \(3,\)"),
        (points(9, 0), levels(9, 0), "pixels", QUICK, r"shape \(2,\) and fake of \(1, 8, 8\)"),
        (points(9, 0), points(4, 0), "pixels", ["manifold"], "too few samples, 4: give 6"),  # k = 5
        (points(9, 0), points(9, 0), "inception", QUICK, "'inception' sees images, and these are points"),
        (
            points(9, 0),
            points(9, 0),
            "vgg",
            QUICK,
            "no extractor is called 'vgg': give pixels, inception, imagenet or judge:PATH",
        ),
        (levels(9, 0), levels(9, 0), "judge:", QUICK, "no extractor is called 'judge:'"),
        (levels(9, 0), levels(9, 0), "judge:/no/such.pt", QUICK, r"the judge /no/such\.pt is missing"),
        (points(9, 0), points(9, 0), "pixels", ["likelihood"], "nothing of likelihood can be computed"),
        (points(9, 0), points(9, 0), "pixels", ["manifolds"], "'manifolds': did you mean 'manifold'"),
    ],
)
def test_unfit_pairs_are_one_line(
    real: Tensor, fake: Tensor, extractor: str, chosen: list[str], message: str, tmp_path: Path
) -> None:
    for name, x in (("real", real), ("fake", fake)):
        np.save(tmp_path / f"{name}.npy", x.numpy())
    with pytest.raises(ValueError, match=message) as error:
        values(tmp_path / "real.npy", tmp_path / "fake.npy", extractor, chosen)
    assert "\n" not in str(error.value)
    if chosen == QUICK:
        assert f"real is {tmp_path / 'real.npy'}" in str(error.value)


def test_a_judge_of_other_images_names_both(tmp_path: Path) -> None:
    judging.save_judge(Judge((1, 28, 28), 10), tmp_path / "judge.pt", 1.0)
    path = saved(tmp_path / "set.npz", levels(9, 0))
    with pytest.raises(ValueError, match=r"reads images of shape \(1, 28, 28\), not .* \(9, 1, 8, 8\) \(real is .*set"):
        values(path, path, f"judge:{tmp_path / 'judge.pt'}")


def test_a_cell_is_exported_by_its_seed(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters, x = params.Params(ROOT), levels(5, 0, top=17)
    monkeypatch.setattr(params, "load", lambda: parameters)
    monkeypatch.chdir(tmp_path)
    folder, stages = Path("artifacts/digits/gan/samples"), Path("benchmarks/digits/dvc.yaml")
    assert command(export, "digits", "gan", "--to", "out")[2].endswith("`make benchmark NAME=digits` makes them\n")
    stages.parent.mkdir(parents=True)
    stages.touch()
    assert command(export, "digits", "gan", "--to", "out")[2].endswith(
        "no samples of seed 0: `dvc repro benchmarks/digits/dvc.yaml` makes them\n"
    )
    folder.mkdir(parents=True)
    np.savez(folder / "2.npz", x=x, levels=17)
    assert "seed 0: there are 2; a diverged seed has none" in command(export, "digits", "gan", "--to", "out")[2]
    code, out, _ = command(export, "digits", "gan", "--seed", "2", "--to", "out")
    assert (code, out) == (0, "digits/gan: 5 samples are in out\n")
    assert len(list(Path("out").glob("*.png"))) == 5
    assert "unknown model 'gam'; did you mean 'gan'?" in command(export, "digits", "gam", "--to", "more")[2]
    # and the data that it was trained on and is compared with
    data.save(Splits(Split(x), Split(x[3:]), Split(x[:3]), levels=17), Path("artifacts/digits/data/data.pt"))
    assert command(export, "digits", "test", "--to", "test", "--format", "npz")[0] == 0
    assert torch.allclose(sets.read(Path("test/samples.npz")).x, sets.read(folder / "2.npz").x[:3], atol=0.005)


def test_what_has_no_value_says_why(tmp_path: Path) -> None:
    """Three samples have a Frechet distance and no ball that reaches to a fifth neighbour."""
    real, fake = saved(tmp_path / "real.npz", levels(40, 0)), saved(tmp_path / "fake.npz", levels(3, 1))
    paths = {"real": real, "fake": fake}
    result = score.score(paths, "pixels", QUICK)
    why = result.reasons["precision"]
    assert why == "fake holds too few samples, 3: give 6 or more"
    assert {column.name for column, _ in result.values} == {"fd"}
    few = "there are too few samples: it is so with fewer than 6 samples per dimension"
    assert result.reasons == {
        **{"fd_infinite": few},
        **dict.fromkeys(("precision", "recall", "density", "coverage"), why),
    }
    assert f"precision: n/a, since {why}." in score.as_text(result)
    assert json.loads(score.as_json(result))["reasons"]["recall"] == why
    with pytest.raises(ValueError, match=rf"nothing of manifold can be computed from these sets: {why}"):
        score.score(paths, "pixels", ["manifold"])
