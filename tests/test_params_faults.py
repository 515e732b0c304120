"""Parameter files with one fault each: each is one line that names the file, before anything runs; and right ones."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.datasets import digits
from models.common.protocol import Model
from pipeline import check, memory, params, yaml_files

ROOT = Path(__file__).parents[1]
BOARD = "params.yaml"
GRID, RING, DIGITS = (f"benchmarks/{name}/benchmark.yaml" for name in ("grid", "ring", "digits"))
LAUGH = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'ha'] * 9)}]\n" for i in range(9))
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


VALUES = [  # file, what stands there, what comes in its place, what is said of it
    # sizes and numbers
    (BOARD, "seeds: 3", "seeds: 1e30", "seeds = 1e+30: input should be"),
    (BOARD, "seeds: 3", "seeds: 0", "seeds = 0: input should be greater than or equal to 1"),
    (BOARD, "seeds: 3", "seeds: 100000", "seeds = 100000: input should be less than or equal to 10000"),
    (BOARD, "seeds: 3", "seeds: 2.5", "seeds = 2.5"),
    (BOARD, "seeds: 3", "seeds: .nan", "seeds = nan"),
    (BOARD, "seeds: 3", "seeds: .inf", "seeds = inf"),
    (BOARD, "seeds: 3", "seeds: [3]", "seeds = [3]"),
    (BOARD, "seeds: 3", "seeds:", "seeds = None"),
    (BOARD, "seeds: 3", f"seeds: {'1' * 5000}", "seeds = '1111"),
    (BOARD, "seeds: 3", "seeds: 2020-01-01", "seeds = datetime.date(2020, 1, 1)"),
    (BOARD, "seeds: 3", "seeds: 1e-3", "seeds = 0.001"),
    (BOARD, "steps: 10000", f"steps: {'9' * 400}", "a number of 400 digits; give one of 18 at most"),
    (BOARD, "steps: 10000", "steps: 1e12", "toys.training.steps = 1000000000000: input should be less than"),
    (BOARD, "steps: 10000", "steps: ten", "toys.training.steps = 'ten'"),
    (BOARD, "steps: 10000", "steps: 10", "toys.training.snapshots = 20: more than ring's 10 steps"),
    (BOARD, "snapshots: 20", "snapshots: -1", "toys.training.snapshots = -1"),
    (BOARD, "snapshot_samples: 2500", "snapshot_samples: 1e15", "toys.training.snapshot_samples:"),
    (BOARD, "batch: 256", "batch: 100001", "toys.training.batch = 100001: grid has 100000 training data;"),
    (BOARD, "batch: 256", "batch: 0", "toys.training.batch = 0"),
    (BOARD, "batch: 64", "batch: 1000", "images.training.batch = 1000: digits has 900 training data"),
    (BOARD, "batch: 256", "batch: 257", "packing = 2 does not divide"),
    (BOARD, "batch: 128", "batch: 1e17", "pictures.models.independent: its settings: "),
    (BOARD, "ema: 0.0", "ema: 1.0", "toys.training.ema = 1.0"),
    (BOARD, "ema: 0.0", "ema: .nan", "toys.training.ema = nan"),
    (BOARD, "precision: fp32", "precision: fp8", "toys.training.precision = 'fp8'"),
    (BOARD, "channels_last: false", "channels_last: no", "toys.training.channels_last = 'no'"),
    (BOARD, "samples: 50000", "samples: 50001", "toys.evaluation.samples: grid: evaluation.samples = 50001: as many"),
    (BOARD, "samples: 5000\n", "samples: 1e14\n", "pictures.evaluation.samples: 100,000,000,000,000 samples"),
    (BOARD, "samples: 50000", "samples: 1", "toys.evaluation.samples = 1"),
    (BOARD, "judge: {epochs: 30, batch: 64", "judge: {epochs: 30, batch: 1e15", "images.judge.batch"),
    (BOARD, "lr: 0.003", "lr: .inf", "images.judge.lr = inf"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, latent: 1e9}", "toys.models.ae.latent = 1000000000"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, width: 1e6}", "toys.models.ae: its settings: a net of"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, width: 0}", "toys.models.ae: width = 0: must be 1 or more"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, width: -1}", "toys.models.ae: "),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, depth: 100000}", "more than 10,000 layers"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, latent: two}", "toys.models.ae.latent = 'two'"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, lr: .nan}", "toys.models.ae.lr = nan"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: ae, laten: 2}", "toys.models.ae.laten: unknown key"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: {model: aee}", "toys.models.ae: unknown model 'aee'; did you mean 'ae'"),
    (BOARD, "ae: {model: ae, latent: 2}", f"ae: {{model: {'x' * 9000}}}", "toys.models.ae: unknown model 'xxx"),
    (BOARD, "ae: {model: ae, latent: 2}", "ae: ae", "toys.models.ae = 'ae': names no model"),
    (GRID, "data: {}", "data: {test: 1e15}", "grid/benchmark.yaml: data: 1,000,000,000,110,000 data"),
    (GRID, "data: {}", "data: {train: 100}", "toys.training.batch = 256: grid has 100 training data"),
    (GRID, "data: {}", "data: {spacng: 1.0}", "grid/benchmark.yaml: data: grid: unknown setting 'spacng'"),
    (GRID, "data: {}", "data: {sigma: -1}", "grid/benchmark.yaml: data: grid: sigma = -1"),
    (GRID, "data: {}", "data: {seed: 4294967296}", "grid/benchmark.yaml: data: grid: seed = 4294967296"),
    (GRID, "data: {}", f"data: {{seed: {'1' * 5000}}}", "grid/benchmark.yaml: data: grid: seed = '111"),
    (GRID, "training: {}", "training: {steps: 7}", "toys.training.snapshots = 20: more than grid's 7 steps"),
    (GRID, "training: {}", "training: {snapshots: 101}", "grid/benchmark.yaml: training.snapshots = 101"),
    (GRID, "evaluation: {}", "evaluation: {samples: 50001}", "grid/benchmark.yaml: evaluation.samples: "),
    (GRID, "evaluation: {}", "evaluation: []", "grid/benchmark.yaml: evaluation = []"),
    (GRID, "w1: 1.130", "w1: [1]", "grid/benchmark.yaml: floors.w1 = [1]: a floor is a finite number, or the name of"),
    (GRID, "w1: 1.130", "w1: .nan", "grid/benchmark.yaml: floors.w1 = nan"),
    (GRID, "w1: 1.130", "w1: true", "grid/benchmark.yaml: floors.w1 = True"),
    (GRID, "w1: 1.130", "w1: gam", "grid/benchmark.yaml: floors.w1: unknown contestant 'gam'"),
    (GRID, "w1: 1.130", "w9: 1.130", "grid/benchmark.yaml: floors.w9: unknown column 'w9'"),
    # names
    (BOARD, "[ring, grid,", "[ring, ring,", "suite = ['ring', 'ring', 'digits', 'stacked_digits']: 'ring' stands"),
    (BOARD, "[ring, grid,", "[grind,", "suite: unknown benchmark 'grind'; did you mean 'grid'?"),
    (BOARD, "[ring, grid, digits, stacked_digits]", "[]", "suite = []"),
    (BOARD, "[ring, grid, digits, stacked_digits]", "ring", "suite = 'ring'"),
    (BOARD, "[modes, within,", "[modes, modes,", "'modes' stands there twice; name it once"),
    (BOARD, "[modes, within,", "[mods, within,", "toys.evaluation.metrics: unknown metric 'mods'"),
    (BOARD, "progress: [modes]", "progress: [modes, modes]", "toys.evaluation.progress = ['modes', 'modes']"),
    (BOARD, "main: [modes,", "main: [moods,", "toys.evaluation.main: unknown column of the chosen metrics 'moods'"),
    (BOARD, "main: [modes,", "main: [modes, modes,", "toys.evaluation.main = "),
    (BOARD, "ranked: [modes, ", "ranked: [modes, fjd, ", "toys.ranked: unknown column with a floor in grid 'fjd'"),
    (BOARD, "ranked: [modes, ", "ranked: [modes, modes, ", "toys.ranked = "),
    (BOARD, "    ae: {model: ae,", "    data: {model: ae,", "toys.models.data: the name of the folder of the data"),
    (BOARD, "    ae: {model: ae,", "    judge: {model: ae,", "toys.models.judge: the name of the folder of the judge"),
    (BOARD, "    ae: {model: ae,", "    oracle: {model: ae,", "toys.models.oracle: the name of the real data's row"),
    (BOARD, "    ae: {model: ae,", "    A E: {model: ae,", "toys.models.A E: a name has small letters, digits"),
    (BOARD, "    ae: {model: ae,", "    ../x: {model: ae,", "toys.models.../x: a name has small letters"),
    (BOARD, "    ae: {model: ae,", '    "ae\\n": {model: ae,', "toys.models.'ae\\n': a name has small letters"),
    (BOARD, "    ae: {model: ae,", "    1: {model: ae,", "toys.models.1"),
    (BOARD, "    ae: {model: ae,", f"    {'a' * 300}: {{model: ae,", "is 64 long at most"),
    (BOARD, "    ae: {model: ae,", "    gan: {model: ae,", 'found duplicate key "gan"'),
    (GRID, "kind: toys", "kind: toy", "grid/benchmark.yaml: kind = 'toy'"),
    (GRID, "kind: toys", "kind: stacked", "grid/benchmark.yaml: judge is missing; write judge: {} for the one of kind"),
    (GRID, "kind: toys", "kind: published", "grid/benchmark.yaml: kind = 'published', no judge: "),
    (GRID, "dataset: grid", "dataset: grit", "grid/benchmark.yaml: dataset: unknown data set 'grit'"),
    (DIGITS, "judge: {}\n", "", "digits/benchmark.yaml: judge is missing; write judge: {} for the one of kind images"),
    (DIGITS, "judge: {}\n", "judge:\n", "digits/benchmark.yaml: judge is missing"),
    (DIGITS, "judge: {}\n", "judge: {epoch: 3}\n", "digits/benchmark.yaml: judge.epoch: unknown key"),
    (BOARD, "  judge: {epochs: 30, batch: 64, lr: 0.003}\n", "", "digits/benchmark.yaml: kind = 'images', no judge: "),
    # the form of a file
    (BOARD, "seeds: 3", "seeds: [3", "params.yaml is not YAML that can be read: line "),
    (BOARD, "seeds: 3", "seeds: 3\nseeds: 4", "found duplicate key"),
    (BOARD, "seeds: 3", "seeds: 3\n---\na: 1", "found another document"),
    (BOARD, "seeds: 3", "seeds: *three", "found undefined alias 'three'"),
    (BOARD, "seeds: 3", "seeds: !!python/object:os.system 3", "could not determine a constructor"),
    (BOARD, "seeds: 3", "seeds: !!int three", "params.yaml is not YAML"),
    (BOARD, "seeds: 3", "seeds: \x00", "params.yaml is not YAML"),
    (BOARD, "seeds: 3", "seeds: 3\n? {a: b}\n: 1", "unhashable key"),
    (BOARD, "seeds: 3", "seeds: 3\n[a, b]: 1", "params.yaml: "),
    (BOARD, "seeds: 3", "seeds: &three [*three]", "an alias stands inside what it stands for"),
    (BOARD, "seeds: 3", f"seeds: {'[' * 3000}{']' * 3000}", "nested more than 20 levels deep"),
    (BOARD, "seeds: 3", f"seeds: {'{a: ' * 3000}1{'}' * 3000}", "nested more than 20 levels deep"),
    (BOARD, "seeds: 3", f"seeds: 3\n{LAUGH}", "more than 100,000 values, its aliases written out"),
    (BOARD, "seeds: 3", f"seeds: 3 # {'x' * 500_000}", "params.yaml has more than 500,000 bytes"),
    (GRID, "data: {}", f"data: {'[' * 3000}{']' * 3000}", "grid/benchmark.yaml is not YAML that can be read: "),
    (GRID, "data: {}", "\tdata: {}", "grid/benchmark.yaml is not YAML that can be read: line 3"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "message"), VALUES, ids=[f"{number}-{each[2][:20]!r}" for number, each in enumerate(VALUES)]
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
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind: tóys".encode("latin-1"), " is not text in UTF-8 (line 1); save it as UTF-8"),
        ("kind: toys".encode("utf-16"), " is not text in UTF-8 (line 1); save it as UTF-8"),
        (bytes(range(256)), " is not text in UTF-8 (line 2); save it as UTF-8"),  # the line feed is among them
        (b"\x7fELF\x01\x01", " is not YAML that can be read: unacceptable character"),
        (b"", ": the file = None"),
        (b"ring", ": the file = 'ring'"),
        (b"[1, 2]", ": the file = [1, 2]"),
        (LAUGH.encode(), " is not YAML that can be read: it has more than 100,000 values"),
        (b"[" * 3000, " is not YAML that can be read: it is nested more than 20 levels deep"),
        (b"- " * 3000, " is not YAML that can be read: it is nested more than 20 levels deep"),
        (b"a: " + b"1" * 5000, ": "),
        (b"\x00" * 600_000, " has more than 500,000 bytes"),
        (None, " cannot be read: Is a directory"),
    ],
)
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


RIGHT = [
    (BOARD, "seeds: 3", "seeds: 1"),
    (BOARD, "seeds: 3", "seeds: 1e1"),
    (BOARD, "seeds: 3", "seeds: 0x10"),
    (BOARD, "seeds: 3", "seeds: 1_0  # ten"),
    (BOARD, "seeds: 3", 'seeds: !!int "5"'),
    (BOARD, "seeds: 3", "seeds: 10000"),
    (BOARD, "steps: 10000", "steps: 1e4"),
    (BOARD, "steps: 10000", "steps: 1.5e4"),
    (BOARD, "steps: 10000", "steps: 1E+6"),
    (BOARD, "steps: 10000", "steps: 20"),
    (BOARD, "batch: 256", "batch: 1e5"),
    (BOARD, "ema: 0.0", "ema: 0"),
    (BOARD, "ema: 0.0", "ema: 9.99e-1"),
    (BOARD, "snapshots: 20", "snapshots: 0"),
    (BOARD, "samples: 50000", "samples: 2"),
    (BOARD, "precision: fp32", 'precision: "bf16"'),
    (BOARD, "[ring, grid, digits, stacked_digits]", "[mnist]"),
    (BOARD, "[ring, grid, digits, stacked_digits]", "\n- ring\n- grid"),
    (BOARD, "progress: [modes]", "progress: []"),
    (BOARD, "    ae: {model: ae,", "    the_1st_of_many_autoencoders: {model: ae,"),
    (BOARD, "    ae: {model: ae, latent: 2}", "    ae: &plain {model: ae, latent: 2}\n    again: *plain"),
    (BOARD, "    ae: {model: ae, latent: 2}", "    ae: &plain {model: ae}\n    more: {<<: *plain, latent: 3}"),
    (BOARD, "    ae: {model: ae, latent: 2}", "    ae: {model: ae, latent: 1e1, lr: 1e-4}"),
    (BOARD, "    ae: {model: ae, latent: 2}", "    ae:\n      model: ae\n      lr: 1"),
    (BOARD, "lr: 0.003", "lr: 3e-05"),
    (BOARD, "# The switchboard.", "# Die Übersicht \U0001f600."),
    (BOARD, "# The switchboard.", "\ufeff# The switchboard."),
    (GRID, "data: {}", "data: {test: 1e5, sigma: 1}"),
    (GRID, "data: {}", "data: {train: 256, seed: 4294967295}"),
    (GRID, "training: {}", "training: {steps: 7, snapshots: 7}"),
    (GRID, "training: {}", "training: {steps: 1e4, batch: 2e2}"),
    (GRID, "evaluation: {}", "evaluation: {metrics: [modes], main: [modes], progress: []}"),
    (GRID, "evaluation: {}", "evaluation: {}\nown_seeds: 5"),
    (GRID, "w1: 1.130", "w1: gmm"),
    (DIGITS, "judge: {}", "judge: {epochs: 1e1}"),
    (DIGITS, "data: {}", "data: {train: 800}"),
]


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
    edited(project, BOARD, "steps: 10000", "steps: 1e4")
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
        with pytest.raises(ValueError, match=r"^params\.yaml: published\.models( = |: | is missing)"):
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
            memory.check(benchmark, check.POINTS, sizes)
        else:
            with pytest.raises(ValueError, match=r"^benchmarks/ring/benchmark.yaml: data: 210,000 data would take"):
                memory.check(benchmark, check.POINTS, sizes)


def test_what_follows_a_long_alias_is_still_counted(tmp_path: Path) -> None:
    """Nine fold four times are 9 + 81 + 729 + 6,561 words and the lists around them: far fewer than are too many."""
    (tmp_path / "four.yaml").write_text("".join(LAUGH.splitlines(keepends=True)[:4]))
    assert len(yaml_files.read(tmp_path / "four.yaml")["a3"]) == 9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seeds: 3\x00".encode("utf-16"), "error: params.yaml is not text in UTF-8 (line 1); save it as UTF-8\n"),
        (b"[" * 3000, "error: params.yaml is not YAML that can be read: it is nested more than 20 levels deep\n"),
        (b"seeds: " + b"1" * 5000, "error: params.yaml: suite is missing (and "),
        (None, "error: params.yaml: seeds = '11111"),
    ],
)
def test_the_command_says_one_line_and_changes_nothing(project: Path, content: bytes | None, message: str) -> None:
    text = (project / BOARD).read_bytes()
    (project / BOARD).write_bytes(content or text.replace(b"seeds: 3", b"seeds: " + b"1" * 5000))
    (project / "pipeline").symlink_to(ROOT / "pipeline")
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
