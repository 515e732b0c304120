"""Parameters: what is wrong is named, with the nearest right name, before anything runs."""

import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from pipeline import check, params

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's parameters and folders of names, in a place of their own."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for folder in ("models", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def with_change(project: Path, *path: str, value: Any, file: str = "params.yaml") -> Path:
    """The project with one value set; ``path`` leads to it."""
    content = yaml.safe_load((project / file).read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (project / file).write_text(yaml.safe_dump(content))
    return project


def test_the_projects_own_parameters_are_right() -> None:
    found = params.Params(ROOT)
    assert found.benchmark("ring").kind == "toys"
    assert "pixelcnn" in found.benchmark("digits").models and "pixelcnn" not in found.benchmark("ring").models


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("suites", "embedded"), ["rings"], "unknown benchmark 'rings'; did you mean 'ring'?"),
        (
            ("toys", "models"),
            {"clip": {"model": "wgan_pg"}},
            "models.clip: unknown model 'wgan_pg'; did you mean 'wgan_gp'?",
        ),
        (("toys", "models"), {"gan": {"lr": 1.0}}, "toys.models.gan = {'lr': 1.0}: names no model; write {model: FILE"),
        (("toys", "models"), {"a b": {"model": "gan"}}, "toys.models.a b"),
        (("toys", "models"), {"oracle": {"model": "gan"}}, "toys.models.oracle"),
        (("toys", "evaluation", "metrics"), ["mode"], "unknown metric 'mode'; did you mean 'modes'?"),
        (("toys", "training", "step"), 3, "toys.training.step: unknown key; did you mean 'steps'?"),
        (("toys", "training", "steps"), -5, "toys.training.steps = -5: input should be greater than or equal to 1"),
        (("toys", "training", "steps"), "many", "toys.training.steps = 'many': input should be a valid integer"),
        (("toys", "training", "ema"), 1.0, "toys.training.ema = 1.0: input should be less than 1"),
        (("toys", "training", "precision"), "fp16", "precision = 'fp16': input should be 'fp32', 'tf32' or 'bf16'"),
        (("seeds",), True, "seeds = True: input should be a valid integer"),
        (("seed",), 3, "seed: unknown key; did you mean 'seeds'?"),
        (("toys",), None, "toys = None"),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(project: Path, path: tuple, value: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        params.Params(with_change(project, *path, value=value))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_numbers_are_read_as_dvc_writes_them(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("lr: 0.003", "lr: 3e-05"))
    assert params.Params(project).benchmark("digits").judge.lr == 3e-5


def test_a_missing_key_is_named(project: Path) -> None:
    content = yaml.safe_load((project / "params.yaml").read_text())
    del content["toys"]["training"]["batch"]
    (project / "params.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=r"params.yaml: toys.training.batch is missing"):
        params.Params(project)


def test_files_that_are_missing_or_not_yaml_are_named(project: Path) -> None:
    (project / "params.yaml").write_text("suites: {embedded: [ring\nseeds")
    with pytest.raises(ValueError, match=r"params\.yaml is not YAML"):
        params.Params(project)
    (project / "params.yaml").unlink()
    with pytest.raises(ValueError, match=r"params\.yaml is missing"):
        params.Params(project)


def test_a_benchmarks_own_settings_take_precedence_and_are_checked(project: Path) -> None:
    file = "benchmarks/grid/benchmark.yaml"
    with_change(project, "training", value={"steps": 7, "snapshots": 7}, file=file)
    found = params.Params(project)
    assert found.benchmark("grid").training.steps == 7 and found.benchmark("ring").training.steps > 7
    with pytest.raises(ValueError, match=r"training.stps: unknown key; did you mean 'steps'"):
        params.Params(with_change(project, "training", value={"stps": 7}, file=file))


class Architecture:
    def __init__(
        self, spec: Any, *, lr: float = 1e-3, loss: Literal["a", "b"] = "a", betas: tuple[float, float] = (0.5, 0.9)
    ) -> None:
        pass


def test_a_kind_whose_data_nobody_describes_is_told(project: Path) -> None:
    board = yaml.safe_load((project / "params.yaml").read_text())
    described = board["toys"].pop("data")
    with pytest.raises(ValueError, match=r"^params.yaml: toyz.data is missing$"):
        params.Params(with_change(project, "toyz", value=board["toys"]))
    twofold = {**board["toys"], "data": {**described, "shape": [2, 2]}}
    with pytest.raises(ValueError, match=r"^params.yaml: toyz.data.shape = \[2, 2\]: points have 1 dimension"):
        params.Params(with_change(project, "toyz", value=twofold))


def test_a_packing_that_does_not_divide_the_batch_is_named_before_anything_runs(project: Path) -> None:
    benchmark = params.Params(with_change(project, "toys", "training", "batch", value=100)).benchmark("ring")
    check.check_packing(benchmark, {"gan": 1, "pacgan": 4})
    with pytest.raises(ValueError, match=r"^params.yaml: toys.models.pacgan: packing = 3 does not divide ring's batch"):
        check.check_packing(benchmark, {"gan": 1, "pacgan": 3})


def test_hyperparameters_are_checked_against_the_models_signature() -> None:
    assert check.hyperparameters(Architecture, {"lr": 1, "betas": [0.0, 0.9]}, "m") == {"lr": 1, "betas": (0.0, 0.9)}
    for settings, message in [
        ({"lrr": 1.0}, "m.lrr: unknown key; did you mean 'lr'?"),
        ({"lr": "fast"}, "m.lr = 'fast': input should be a valid number"),
        ({"loss": "c"}, "m.loss = 'c': input should be 'a' or 'b'"),
    ]:
        with pytest.raises(ValueError) as caught:
            check.hyperparameters(Architecture, settings, "m")
        assert message in str(caught.value)
