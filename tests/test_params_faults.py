"""Parameter files with one fault each: each is one line that names the file, before anything runs; and right ones."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from edits import BOARD, FILES, GRID, LAUGH, RIGHT, RING, WRONG

from benchmarks.datasets import digits
from models.common.protocol import Model, Spec
from pipeline import check, memory, params, yaml_files

ROOT = Path(__file__).parents[1]
POINTS, PICTURES = Spec((2,), classes=8), Spec((1, 28, 28), classes=10, levels=256)
build = check.build


MADE: dict[str, Model] = {}


def built(*of: Any) -> Model:
    """What a model's settings make is made once for all tests."""
    return MADE[repr(of)] if repr(of) in MADE else MADE.setdefault(repr(of), build(*of))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's parameters beside its code."""
    shutil.copy(ROOT / BOARD, tmp_path)
    (tmp_path / "models").symlink_to(ROOT / "models")
    for folder in ("datasets", "metrics"):
        (tmp_path / "benchmarks").mkdir(exist_ok=True)
        (tmp_path / "benchmarks" / folder).symlink_to(ROOT / "benchmarks" / folder)
    for name in ("search.yaml", "found.yaml"):  # a row of a paper's numbers, and what was found
        shutil.copy(ROOT / "benchmarks" / name, tmp_path / "benchmarks")
    for name in [file for pattern in ("benchmark.yaml", "dvc.yaml") for file in ROOT.glob(f"benchmarks/*/{pattern}")]:
        (tmp_path / name.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(name, tmp_path / name.relative_to(ROOT))
    monkeypatch.setattr(check, "build", built)
    return tmp_path


def edited(project: Path, file: str, old: str, new: str) -> None:
    """The first place of ``old`` becomes ``new``."""
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new, 1))


def checked(root: Path) -> None:
    check.check(params.Params(root))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"), WRONG, ids=[f"{number}-{each[2][:20]!r}" for number, each in enumerate(WRONG)]
)
def test_a_fault_is_one_line_that_names_its_file(project: Path, file: str, old: str, new: str, message: str) -> None:
    edited(project, file, old, new)
    before = (project / file).read_bytes()
    with pytest.raises(ValueError) as caught:
        checked(project)
    said = str(caught.value)
    assert message in said and ".yaml" in said.partition(":")[0] and said.isprintable() and len(said) < 600
    assert (project / file).read_bytes() == before


@pytest.mark.parametrize("file", [BOARD, RING])
@pytest.mark.parametrize(("content", "message"), FILES)
def test_a_file_that_holds_no_parameters_is_refused_soon(
    project: Path, file: str, content: bytes | None, message: str
) -> None:
    (project / file).unlink()
    (project / file).write_bytes(content) if content is not None else (project / file).mkdir()
    before, began = psutil.Process().memory_info().rss, time.process_time()
    with pytest.raises(ValueError) as caught:
        params.Params(project)
    assert time.process_time() - began < 2 and psutil.Process().memory_info().rss - before < 50e6
    assert f"{file}{message}" in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("file", "old", "new"), RIGHT, ids=[f"{number}-{each[2][:20]!r}" for number, each in enumerate(RIGHT)]
)
def test_what_is_right_is_accepted(project: Path, file: str, old: str, new: str) -> None:
    edited(project, file, old, new)
    checked(project)


def test_windows_line_ends_are_right(project: Path) -> None:
    for file in (BOARD, GRID):
        (project / file).write_bytes((project / file).read_bytes().replace(b"\n", b"\r\n"))
    checked(project)


def test_a_whole_number_may_be_written_with_an_exponent(project: Path) -> None:
    """It is the same number to all that read it: in the budget, in a model's settings and in the data's."""
    edited(project, BOARD, "steps: 6000 ", "steps: 1e4")
    edited(project, BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, latent: 1e1}")
    edited(project, GRID, "data: {}", "data: {train: 2.5e3}")
    found = params.Params(project).benchmark("grid")
    numbers = (found.training.steps, found.models["ae"].settings["latent"], found.data["train"])
    assert numbers == (10_000, 10, 2500) and {type(number) for number in numbers} == {int}


def test_no_contestant_at_all_is_refused(project: Path) -> None:
    text = (project / BOARD).read_text()
    head = text[: text.rindex("  models:\n")]
    for models in ("  models: {}\n", "  models:\n", ""):
        (project / BOARD).write_text(head + models)
        with pytest.raises(ValueError, match=r"^params\.yaml: \w+\.models( = |: | is missing)"):
            params.Params(project)


@pytest.mark.parametrize("name", ["code", "settings", "checked", "work", "mlflow", "downloads", "Big", "a b"])
def test_a_benchmark_is_not_called_what_stands_beside_it(project: Path, name: str) -> None:
    shutil.copytree(project / "benchmarks/ring", project / "benchmarks" / name)
    with pytest.raises(ValueError, match=rf"^benchmarks/{name}/benchmark.yaml: no benchmark can be called '{name}'"):
        checked(project)


def test_a_judge_of_data_without_labels_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "CLASSES", 0)
    with pytest.raises(ValueError, match=r"^benchmarks/digits/benchmark.yaml: dataset = 'digits': it has no labels"):
        checked(project)


def test_memory_is_counted_from_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: a toy has two float32 and a label of 8 bytes, and there are 210,000: 3.36 MB."""
    benchmark = params.Params(project).benchmark("ring")
    sizes = {"train": 100_000, "validation": 10_000, "test": 100_000}
    for there, fits in ((3_360_000, True), (3_359_999, False)):
        monkeypatch.setattr(memory.psutil, "virtual_memory", lambda there=there: type("Memory", (), {"total": there}))
        if fits:
            memory.check(benchmark, POINTS, sizes)
        else:
            with pytest.raises(ValueError, match=r"^benchmarks/ring/benchmark.yaml: data: 210,000 data would take"):
                memory.check(benchmark, POINTS, sizes)


@pytest.mark.parametrize(("name", "draws", "wanted"), [("k", 5, 5 * 128 * 784 * 4), ("importance", 500, 500 * 784 * 4)])
def test_draws_of_a_bound_are_counted(name: str, draws: int, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is decoded to an image of 784 float32: of a whole batch where it is trained, of one datum where scored."""
    asked = SimpleNamespace(**{name: draws}), PICTURES, "its settings", 128
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(total=wanted))
    memory.drawn(*asked)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(total=wanted - 1))
    with pytest.raises(ValueError, match=rf"^its settings: {name} = {draws} draws for each of .* data would take"):
        memory.drawn(*asked)


def test_what_follows_a_long_alias_is_still_counted(tmp_path: Path) -> None:
    """Nine fold four times are 9 + 81 + 729 + 6,561 words and the lists around them: far fewer than are too many."""
    (tmp_path / "four.yaml").write_text("".join(LAUGH.splitlines(keepends=True)[:4]))
    assert len(yaml_files.read(tmp_path / "four.yaml")["a3"]) == 9


def test_a_file_is_parsed_once_and_each_reader_has_its_own(tmp_path: Path) -> None:
    """Settings of fifty contestants take half a second to parse, and are asked for once a contestant."""
    file = tmp_path / "found.yaml"
    file.write_text("".join(f"name{i}: {{lr: 0.{i + 1}}}\n" for i in range(500)))
    yaml_files.read(file)["name0"]["lr"] = 7
    before = time.thread_time()
    found = [yaml_files.read(file) for _ in range(20)]
    assert time.thread_time() - before < 0.5  # 20 times 0.2 if parsed anew
    assert found[0] is not found[1] and found[0]["name0"] == {"lr": 0.1}
    file.write_text("name0: {lr: 0.5}\n")
    assert yaml_files.read(file) == {"name0": {"lr": 0.5}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seeds: 3\x00".encode("utf-16"), "error: params.yaml is not text in UTF-8 (line 1); save it as UTF-8\n"),
        (b"[" * 3000, "error: params.yaml is not YAML that can be read: it is nested more than 20 levels deep\n"),
        (b"seeds: " + b"1" * 5000, "error: params.yaml: suites is missing (and "),
        (None, "error: params.yaml: seeds = '11111"),
    ],
)
def test_the_command_says_one_line_and_changes_nothing(project: Path, content: bytes | None, message: str) -> None:
    text = (project / BOARD).read_bytes()
    (project / BOARD).write_bytes(content or text.replace(b"seeds: 3", b"seeds: " + b"1" * 5000))
    for package in ("pipeline", "reports"):
        (project / package).symlink_to(ROOT / package)
    before = sorted(project.rglob("*"))
    done = subprocess.run([sys.executable, "-m", "pipeline.check"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "" and sorted(project.rglob("*")) == before
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1


def test_make_checks_before_dvc_reads() -> None:
    """DVC reads params.yaml whenever it starts, and says less of what is wrong with it."""
    for recipe in (ROOT / "Makefile").read_text().split("\n\n"):
        commands = [line for line in recipe.splitlines() if line.startswith("\t")]
        if any("/dvc " in line or "pipeline.launch $" in line for line in commands):
            assert commands[0] == "\t@$(CHECK)", recipe
