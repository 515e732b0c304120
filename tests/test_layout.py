"""The rules that a reader relies on: who may import whom, and that stages depend on what says what they run."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import code, params
from pipeline.cell import ORACLE
from pipeline.digests import closure
from pipeline.entries import entries
from pipeline.tools import add

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "benchmarks", "reports", "pipeline")
ACTIVE = [name for name in params.Params(ROOT).benchmarks() if (ROOT / add.stages_file(name)).exists()]


def sources(package: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The dotted names of everything a file imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def our_files(path: Path) -> set[Path]:
    """The files of ours that ``path`` imports, directly."""
    found = set()
    for name in imported(path):
        as_path = Path(*name.split("."))
        for candidate in (as_path.with_suffix(".py"), as_path / "__init__.py"):
            if name.split(".")[0] in PACKAGES and (ROOT / candidate).exists():
                found.add(candidate)
    return found


@pytest.mark.parametrize("package", ["models", "benchmarks", "reports"])
def test_packages_import_nothing_of_ours_but_themselves(package: str) -> None:
    for path in sources(package):
        strangers = {file for file in our_files(path) if file.parts[0] != package}
        assert not strangers, f"{path} imports {strangers}"


def test_a_model_imports_no_other_model() -> None:
    for path in (ROOT / "models").glob("*.py"):
        if path.stem != "__init__":
            others = {file for file in our_files(path.relative_to(ROOT)) if file.parts[:2] != ("models", "common")}
            assert others <= {Path("models/__init__.py")}, f"{path} imports {others}"


@pytest.mark.parametrize(
    ("library", "place"),
    [
        ("mlflow", "pipeline/tracking"),
        ("torch_fidelity", "benchmarks"),
        ("ray", "pipeline/work/cluster.py"),
        ("optuna", "pipeline/search"),
    ],
)
def test_libraries_stay_in_their_place(library: str, place: str) -> None:
    for package in PACKAGES:
        for path in sources(package):
            if any(name.split(".")[0] == library for name in imported(path)):
                assert Path(place) in (path, *path.parents), f"{path} imports {library}"


def stage_files(path: Path) -> list[tuple[str, dict]]:
    stages = yaml.safe_load(path.read_text())["stages"]
    return [(name, stage.get("do", stage)) for name, stage in stages.items()]


def test_the_check_and_the_code_see_every_benchmark() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    every = {f"benchmarks/{name}/benchmark.yaml" for name in params.Params(ROOT).benchmarks()}
    assert every <= set(stages["check"]["deps"]) and every <= set(stages["code"]["deps"])


def test_the_code_stage_sees_every_source_file() -> None:
    """What it does not see could be edited without any stage being stale."""
    seen = [Path(dep) for dep in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["code"]["deps"]]
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    made = ("reports/scores/", "reports/rendered/")
    for name in listed.stdout.split():
        source = name.endswith((".py", ".csv", ".html", ".css", ".js", ".tex")) and not name.startswith(made)
        if source and (ROOT / name).exists():
            assert any(dep in (Path(name), *Path(name).parents) for dep in seen), name


@pytest.mark.parametrize("name", ACTIVE)
def test_stages_depend_on_digests_and_settings_that_are_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parameters = params.Params(ROOT)
    benchmark = parameters.benchmark(name)
    written = {f"artifacts/code/{entry}" for entry, _ in entries(parameters)}
    written |= {f"artifacts/settings/{name}/{stage}.json" for stage in code.settings(benchmark)}
    for stage, content in stage_files(ROOT / add.stages_file(name)):
        for key in list(benchmark.models) if stage in ("train", "evaluate") else [""]:
            places = {"benchmark": name, "dataset": benchmark.dataset, "kind": benchmark.kind, "key": key}
            places |= {"item.model": benchmark.models[key].model} if key else {}
            for dep in content["deps"]:
                for place, value in places.items():
                    dep = dep.replace(f"${{{place}}}", value)
                assert dep in written or dep.startswith(f"artifacts/{name}/") or dep == "artifacts/checked", dep
            assert any(dep.startswith("artifacts/code/") for dep in content["deps"]), stage


def test_a_benchmarks_stages_read_like_the_experiment() -> None:
    lists = {ROOT / "benchmarks" / name for name in ("found.yaml", "search.yaml")}
    for file in {*(ROOT / "benchmarks").glob("*.yaml"), *(ROOT / "benchmarks").glob("*/dvc.yaml")} - lists:
        assert len(file.read_text().splitlines()) < 70, file


@pytest.mark.parametrize("name", ACTIVE)
def test_a_benchmarks_stages_are_its_kinds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    meant = add.stages(params.Params(ROOT).benchmark(name))
    assert add.stages_file(name).read_text() == meant, "`python -m pipeline.add` writes it anew"


def test_dvc_sees_exactly_the_cells_that_are_meant() -> None:
    """A matrix over a mapping is not documented by DVC; this is the check that it goes on working."""
    command = [sys.executable, "-m", "dvc", "stage", "list", "-R", "--names-only", "."]
    listed = set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    parameters = params.Params(ROOT)
    for name in ACTIVE:
        for stage in ("train", "evaluate"):
            meant = {f"benchmarks/{name}/dvc.yaml:{stage}@{model}" for model in parameters.benchmark(name).models}
            found = {entry for entry in listed if entry.startswith(f"benchmarks/{name}/dvc.yaml:{stage}@")}
            assert found == meant
    assert {f"report@{name}" for name in parameters.suite} == {e for e in listed if e.startswith("report@")}


@pytest.mark.parametrize(
    ("model", "spared"),
    [
        ("gmm", {"nets", "raster", "likelihoods"}),
        ("parzen", {"nets", "raster", "recurrence"}),
        ("independent", {"nets", "raster", "likelihoods"}),
        ("gan", {"raster", "recurrence", "joint", "likelihoods"}),
        ("vae", {"raster", "recurrence", "joint"}),
        ("vae_gan", {"raster", "recurrence", "joint", "likelihoods", "variational"}),
        ("pixelcnn", {"recurrence", "joint", "likelihoods"}),
    ],
)
def test_a_model_depends_on_no_more_than_it_uses(model: str, spared: set[str]) -> None:
    common = {path.stem for path in closure([Path(f"models/{model}.py")], ROOT) if path.parent.name == "common"}
    assert not common & spared


def test_what_is_kept_is_of_contestants_that_are_there() -> None:
    """Those left out of params.yaml would go on to be rows of `reports.results`."""
    parameters = params.Params(ROOT)
    listed = subprocess.run(["git", "ls-files", "reports/scores"], cwd=ROOT, capture_output=True, text=True, check=True)
    parts = [line.split("/")[2:] for line in listed.stdout.splitlines()]
    kept = {(benchmark, contestant) for benchmark, contestant, *files in parts if files and benchmark != "search"}
    for file in ROOT.glob("benchmarks/*/dvc.lock"):
        stages = re.findall(r"(?m)^  (?:train|evaluate)@(.+):$", file.read_text())
        kept |= {(file.parent.name, contestant) for contestant in stages}
    rows = {(name, row) for name in parameters.benchmarks() for row in [*parameters.benchmark(name).rows, ORACLE]}
    assert not kept - rows
