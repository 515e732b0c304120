"""The rules that a reader relies on: who may import whom, and that dvc.yaml names what a stage depends on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import params
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


def closure(path: Path) -> set[Path]:
    seen, todo = set(), [path]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo += our_files(current)
    return seen


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
    [("mlflow", "pipeline/tracking"), ("torch_fidelity", "benchmarks"), ("ray", "pipeline/launch.py")],
)
def test_libraries_stay_in_their_place(library: str, place: str) -> None:
    for package in PACKAGES:
        for path in sources(package):
            if any(name.split(".")[0] == library for name in imported(path)):
                assert Path(place) in (path, *path.parents), f"{path} imports {library}"


def stage_files(path: Path) -> list[tuple[str, dict]]:
    stages = yaml.safe_load(path.read_text())["stages"]
    return [(name, stage.get("do", stage)) for name, stage in stages.items()]


def test_the_check_sees_every_benchmark() -> None:
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["check"]["deps"]
    assert {f"benchmarks/{name}/benchmark.yaml" for name in params.Params(ROOT).benchmarks()} <= set(deps)


def test_every_stage_depends_on_what_its_module_imports() -> None:
    for file in [ROOT / "dvc.yaml", *sorted((ROOT / "benchmarks").glob("*/dvc.yaml"))]:
        for name, stage in stage_files(file):
            module = Path("pipeline") / f"{stage['cmd'].split()[1]}.py"
            if name == "check":
                continue  # it looks at the models when parameters change; when a model changes, its own cells do
            listed = [Path(dep) for dep in stage["deps"]]
            for source in closure(module):
                if source.name == "__init__.py" and source.parent.name in ("pipeline", "benchmarks", "datasets"):
                    continue  # docstring and folder listing
                covered = any(dep in (source, *source.parents) for dep in listed)
                assert covered, f"{file.relative_to(ROOT)}: {name} imports {source}, which is not among its deps"


def test_the_train_stage_depends_on_what_the_fingerprint_covers(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.cell import Cell

    monkeypatch.chdir(ROOT)
    stage = dict(stage_files(ROOT / "benchmarks/ring/dvc.yaml"))["train"]
    listed = {dep.replace("${benchmark}", "ring").replace("${item.model}", "vae") for dep in stage["deps"]}
    covered = {str(path) for path in Cell("ring", "vae").dependencies()}
    for path in covered:
        assert path in listed or any(str(parent) in listed for parent in Path(path).parents), path
    for dep in listed:
        assert dep in covered or any(path.startswith(dep + "/") for path in covered), dep


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
