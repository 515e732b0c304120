"""What docs/extend.md shows is a model, a data set, a benchmark and a metric that pass."""

import re
import sys
from pathlib import Path

import pytest
from clones import ROOT, copy, run, succeed

PAGE = (ROOT / "docs/extend.md").read_text()
FILES = dict(re.findall(r"^`([a-z_/.]+)`:\n\n```(?:python|yaml)\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL))
LINE = re.findall(r"^    geometric_gan: .*\n", PAGE, re.MULTILINE)[0]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("extended")
    copy(place)
    for name, text in FILES.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text)
    board = (place / "params.yaml").read_text()
    first = "    gan: {model: gan, latent: 2}\n"
    board = board.replace(first, first + LINE, 1).replace("metrics: [modes,", "metrics: [energy, modes,", 1)
    (place / "params.yaml").write_text(board)
    return place


def test_there_is_one_of_each() -> None:
    assert [Path(name).parts[:-1] for name in FILES] == [
        ("models",), ("benchmarks", "datasets"), ("benchmarks", "swiss_roll"), ("benchmarks", "metrics"),
    ]  # fmt: skip


def test_they_are_accepted(extended: Path) -> None:
    succeed(extended, "python", "-m", "pipeline.check")
    assert "swiss_roll/dvc.yaml is there" in succeed(extended, "python", "-m", "pipeline.add", "swiss_roll")


def test_they_keep_the_contracts(extended: Path) -> None:
    suites = ("models_contract", "models_moves", "datasets", "metrics_contract")
    files = [f"tests/test_{suite}.py" for suite in suites]
    chosen = "(geometric_gan or swiss_roll or energy) and not download"
    plain = ("-q", "-x", "-p", "no:cacheprovider", "-o", "addopts=")
    said = run(extended, "python", "-m", "pytest", *plain, *files, "-k", chosen)
    passed = re.search(r"(\d+) passed", said.stdout)
    assert said.returncode == 0 and passed and int(passed[1]) > 60, said.stdout[-3000:]


def test_their_style_is_the_projects(extended: Path) -> None:
    names = [name for name in FILES if name.endswith(".py")]
    succeed(extended, "ruff", "check", *names)
    succeed(extended, "ruff", "format", "--check", *names)


def printed() -> list[tuple[str, str, str]]:
    """Tables in pages and the commands that print them: file, command, table."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    pattern = r"`\.venv/bin/python -m (pipeline\.table [^`]*)` prints:?\n\n((?:\|.*\n)+)"
    return [(page.name, *found) for page in pages for found in re.findall(pattern, page.read_text())]


@pytest.mark.parametrize(("page", "command", "shown"), printed(), ids=lambda value: value[:60])
def test_a_table_in_a_page_is_what_its_command_prints(
    page: str, command: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.tools import table

    monkeypatch.setattr(sys, "argv", command.split())
    table.main()
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")] == shown.splitlines()


def drawn() -> list[tuple[str, str]]:
    """Pictures in pages and the commands that draw them: command, file."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    pattern = r"^\.venv/bin/python -m (pipeline\.chart .* --out (docs/\S+))$"
    return [found for page in pages for found in re.findall(pattern, page.read_text(), re.MULTILINE)]


@pytest.mark.parametrize(("command", "kept"), drawn())
def test_a_picture_in_a_page_is_what_its_command_draws(
    command: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.tools import chart

    monkeypatch.setattr(sys, "argv", [*command.split()[:-1], str(tmp_path / "drawn.svg")])
    chart.main()
    assert (tmp_path / "drawn.svg").read_text() == (ROOT / kept).read_text()
