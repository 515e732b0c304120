"""What an edit makes stale: digests of code, and the entries of the project's own stages under edits of each kind."""

import shutil
from pathlib import Path

import pytest

from pipeline import params
from pipeline.digests import closure, digest, forget
from pipeline.entries import entries

ROOT = Path(__file__).parents[1]

PLAIN = '''"""A docstring."""

import models.two


def f(x: int, wide: int = 3) -> str:
    """Another."""
    # a comment
    return f"{x:{wide}}" "and" + "more"
'''
FOR_TYPES = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import models.three
else:
    import models.four
"""
SAME = """# No docstring now, and other layout.
import models.two

def f(
    x: int,
    wide: int = 3,
) -> str:
    return f"{x:{wide}}" "and" + (  # brackets
        "more"
    )
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in {
        "one": PLAIN,
        "two": FOR_TYPES,
        "three": "X = 1\n",
        "four": "def late():\n    from models import five\n",
        "five": "import os, numpy\n",
        "__init__": "",
    }.items():
        edit(tmp_path / "models" / f"{name}.py", text)
    return tmp_path


def edit(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    forget()


def of_one(top: Path) -> str:
    return digest([Path("models/one.py")], top)


def test_comments_docstrings_and_layout_are_not_in_a_digest(files: Path) -> None:
    before = of_one(files)
    edit(files / "models/one.py", SAME)
    assert of_one(files) == before


def test_all_versions_of_python_agree(files: Path) -> None:
    """The same constant in each: 3.12 and 3.13 parse f-strings into other trees, and have fields that 3.11 has not."""
    assert of_one(files) == "b5e80d36ed134f30f95c5ab2eee6a8e518ce3340e282c8fe3bdbab79979ce78d"


@pytest.mark.parametrize(
    ("old", "new"), [("more", "less"), ("wide: int = 3", "wide: int = 4"), ("x: int", "x: float"), ("+ ", "* ")]
)
def test_code_is(files: Path, old: str, new: str) -> None:
    before = of_one(files)
    edit(files / "models/one.py", PLAIN.replace(old, new))
    assert of_one(files) != before


def test_the_closure_follows_imports_but_those_for_types(files: Path) -> None:
    names = {file.stem for file in closure([Path("models/one.py")], files)}
    assert names == {"one", "two", "four", "five", "__init__"}


def test_what_is_imported_counts_and_what_is_not_does_not(files: Path) -> None:
    before = of_one(files)
    edit(files / "models/three.py", "X = 2\n")
    assert of_one(files) == before
    edit(files / "models/five.py", "import os, scipy\n")
    assert of_one(files) != before


def test_a_file_that_python_cannot_read_is_named(files: Path) -> None:
    edit(files / "models/two.py", "def f(:\n")
    with pytest.raises(ValueError, match=r"models/two.py:1: .*; Python cannot read it"):
        of_one(files)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's sources and parameters in a place of their own."""
    place = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "scores", "rendered")
    for name in ("models", "pipeline", "benchmarks", "reports"):
        shutil.copytree(ROOT / name, place / name, ignore=ignored)
    shutil.copy(ROOT / "params.yaml", place)
    return place


def current(project: Path) -> dict[str, str]:
    return {entry: digest(roots, project) for entry, roots in entries(params.Params(project))}


def stale(project: Path, file: str, text: str = "\nEDITED = True\n", old: str = "") -> set[str]:
    """The entries that an edit makes stale; the edit is undone."""
    path = project / file
    kept, before = path.read_text(), current(project)
    edit(path, kept.replace(old, text, 1) if old else kept + text)
    try:
        assert path.read_text() != kept
        now = current(project)
    finally:
        edit(path, kept)
    return {entry for entry in before if now[entry] != before[entry]}


def users(project: Path, module: str) -> set[str]:
    """The models whose own code imports a module, by a search that is not the one under test."""
    direct = {
        file.stem: {line.split()[1] for line in file.read_text().splitlines() if line.startswith("from models.")}
        | {
            f"models.common.{name.strip()}"
            for line in file.read_text().splitlines()
            if line.startswith("from models.common import ")
            for name in line.removeprefix("from models.common import ").split(",")
        }
        for file in [*(project / "models").glob("*.py"), *(project / "models/common").glob("*.py")]
    }

    def reaches(name: str, seen: frozenset[str] = frozenset()) -> bool:
        below = {other.removeprefix("models.common.") for other in direct[name] if other.startswith("models.common.")}
        return module in below or any(reaches(other, seen | {name}) for other in below - seen - {name})

    return {file.stem for file in (project / "models").glob("*.py") if reaches(file.stem)} - {"__init__"}


@pytest.mark.parametrize(
    "file", ["models/common/nets.py", "pipeline/training/engine.py", "benchmarks/metrics/modes.py"]
)
def test_a_comment_makes_nothing_stale(project: Path, file: str) -> None:
    assert stale(project, file, "\n# a comment\n") == set()


def test_a_docstring_makes_nothing_stale(project: Path) -> None:
    assert stale(project, "models/common/raster.py", '"""Another docstring. ', old='"""') == set()


def of_models(project: Path, models: set[str]) -> set[str]:
    return {
        entry
        for entry in current(project)
        if entry.split("/")[0] in ("train", "evaluate") and entry.split("/")[-1] in models
    }


@pytest.mark.parametrize("module", ["raster", "recurrence", "joint", "likelihoods", "nets"])
def test_a_shared_module_of_models_makes_stale_what_imports_it(project: Path, module: str) -> None:
    found = stale(project, f"models/common/{module}.py")
    assert found and found == of_models(project, users(project, module))


def test_raster_is_for_pixel_models_and_plain_fits_need_no_nets(project: Path) -> None:
    assert users(project, "raster") <= {"pixelcnn", "pixelrnn", "vq_vae", "made", "masked_diffusion"}
    assert users(project, "nets").isdisjoint({"gmm", "parzen", "independent"})


def test_a_model_makes_stale_its_own_cells_only(project: Path) -> None:
    assert stale(project, "models/wgan.py") == of_models(project, {"wgan"})


def test_a_metric_makes_stale_evaluations_of_kinds_that_name_it(project: Path) -> None:
    parameters = params.Params(project)
    made = {parameters.benchmark(name).kind for name in parameters.benchmarks()}  # photos wait for somebody's folder
    for metric in ("modes", "inpainting", "completion", "stacked_modes"):
        kinds = {name for name in made if metric in parameters.board.kinds[name].evaluation.metrics}
        found = stale(project, f"benchmarks/metrics/{metric}.py")
        assert {entry.split("/")[0] for entry in found} == {"evaluate"}
        assert {entry.split("/")[1] for entry in found} == kinds, metric


def test_a_data_set_makes_its_preparation_stale(project: Path) -> None:
    found = params.Params(project)
    names = {found.benchmark(name).dataset for name in found.benchmarks()}
    assert stale(project, "benchmarks/datasets/digits.py") == {f"prepare/{name}" for name in names if "digits" in name}


def test_the_engine_makes_training_stale_and_no_evaluation(project: Path) -> None:
    found = stale(project, "pipeline/training/engine.py")
    assert found == {entry for entry in current(project) if entry.startswith("train/")}


def test_evidence_makes_evaluations_stale_and_no_training(project: Path) -> None:
    found = stale(project, "pipeline/evaluation/evidence.py")
    assert found == {entry for entry in current(project) if entry.startswith("evaluate/")}


@pytest.mark.parametrize(
    "file",
    ["launch.py", "train.py", "evaluate.py", "stage.py", "work/workers.py", "work/units.py", "tracking/importer.py"],
)
def test_how_work_is_handed_out_makes_no_result_stale(project: Path, file: str) -> None:
    assert not {entry for entry in stale(project, f"pipeline/{file}") if entry not in ("report", "check")}


def test_a_page_or_its_template_makes_reports_stale(project: Path) -> None:
    assert stale(project, "reports/page.py") == stale(project, "reports/published.csv") == {"report"}
    (template, *_) = (project / "reports/templates").iterdir()
    assert stale(project, f"reports/templates/{template.name}") == {"report"}
