"""Tables for papers: what `python -m pipeline.table` prints, and that TeX sets every kind of table within its page."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from pipeline import floors, params
from pipeline.cell import scores_dir
from pipeline.tools import table
from reports import style, tables
from reports.latex import COLUMN, PAGE, columns, ems, escape_tex, laid_out, latex, names
from reports.load import Report, load
from reports.samples import Samples
from reports.statistics import BEST
from reports.tables import Cell, Legend, Row, Table

ROOT = Path(__file__).parents[1]
BOOKTABS = shutil.which("kpsewhich") and subprocess.run(["kpsewhich", "booktabs.sty"], stdout=subprocess.DEVNULL)
TEX = pytest.mark.skipif(
    not shutil.which("pdflatex") or not BOOKTABS or BOOKTABS.returncode != 0,
    reason="no TeX with booktabs here (Debian: texlive-latex-base, texlive-latex-recommended)",
)
WANTED = table.Wanted(["vae", "gan", "wgan_gp"], ["fjd", "recall", "nats"], "latex", "sd", None, "short", "")
WRITTEN = ("critics", "inpainting", "likelihoods", "progress", "published", "ranking", "rate_distortion", "table")


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def overfull(folder: Path, texts: dict[str, str], option: str) -> list[str]:
    """What TeX says of boxes that are more than 2 points too wide, and of floats too high for a page."""
    for name, text in texts.items():
        (folder / f"{name}.tex").write_text(text)
    inputs = "".join(rf"\typeout{{=== {name}}}\input{{{name}}}\clearpage" + "\n" for name in texts)
    document = rf"\documentclass[{option}]{{article}}\usepackage{{booktabs}}\hfuzz=2pt\begin{{document}}{inputs}"
    (folder / "paper.tex").write_text(document + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    return [line for line in done.stdout.splitlines() if re.match(r"===|Overfull|.*Float too large", line)]


def of(benchmark: str, models: tuple[str, ...] = ()) -> Report:
    """The results of a benchmark that are kept in git."""
    return table.read(params.load().benchmark(benchmark), [*models])


def written(benchmark: str, folder: Path) -> dict[str, str]:
    """Every table that the pages of a benchmark have for a paper, made from the scores in git."""
    settings = params.load().benchmark(benchmark)
    real = {"oracle": Samples(np.zeros((2, 1, 28, 28), np.uint8), None, 0, 2)}
    models = [model for model in settings.models if (scores_dir(benchmark) / model).exists()]
    report = load(benchmark, settings.kind, models, scores_dir(benchmark), {})
    report = replace(report, ranked=tuple(settings.ranked), samples=real, floors=floors.resolved(settings))
    for section in WRITTEN:
        import_module(f"reports.sections.{section}").render(report, folder)
    return {f"{benchmark}-{file.stem}": file.read_text() for file in folder.glob("*.tex")}


@TEX
def test_every_kind_of_table_fits_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "save", lambda *arguments, **options: None)  # pictures are tested elsewhere
    texts = {}
    for benchmark in ("grid_pacgan", "mnist_binary"):
        (folder := tmp_path / benchmark).mkdir()
        texts |= written(benchmark, folder)
    kinds = {name.split("-")[1] for name in texts}
    assert kinds >= {"table", "ranking", "losses", "published", "likelihoods", "rate_distortion"}
    every = WANTED._replace(models=[], columns=[], notes="full")
    digits = of("digits")
    texts["largest"] = table.made(digits, every)
    texts["columns"] = table.made(digits, every._replace(columns=["all"]))
    texts["seeds"] = table.made(digits, every._replace(seeds="all"))
    for option in ("onecolumn", "twocolumn"):
        said = overfull(tmp_path, texts, option)
        assert [line for line in said if not line.startswith("===")] == [], said


def content(headings: int, rows: int, text: str = "0.123 ± 0.004") -> Table:
    cells = tuple(Cell(text, "", "") for _ in range(headings))
    made = [Row(f"model_{place}", "told labels" * (place == 1), cells) for place in range(rows)]
    return Table(tuple(f"Column {place} ↑" for place in range(headings)), tuple(made))


@TEX
@pytest.mark.parametrize(("headings", "rows"), [(1, 1), (2, 120), (14, 3), (14, 120)])
def test_any_number_of_rows_and_columns_fits(headings: int, rows: int, tmp_path: Path) -> None:
    text = latex(content(headings, rows), Legend(("What a reader must know. " * 30,) * 8, ()), "Anything")
    for option in ("onecolumn", "twocolumn"):
        assert len(overfull(tmp_path, {"it": text}, option)) == 1


def test_a_table_takes_a_column_where_it_fits_one_and_loses_nothing_where_it_is_cut() -> None:
    assert latex(content(1, 3), Legend((), ()), "One").startswith(r"\begin{table}[tp]")
    cut = latex(content(14, 120), Legend((), ()), "One")
    assert cut.count(r"\begin{table*}") == cut.count(r"\end{table*}") > 4
    assert cut.count(r"0.123 $\pm$ 0.004") == 14 * 120 and cut.count(r"\label") == 1
    assert (
        cut.count(r"model\_7 &")
        == cut.count(r"model\_0 &")
        == len(laid_out([names(content(14, 120).rows), *columns(content(14, 120))])[2])
    )


def test_widths_are_those_of_the_font() -> None:
    """In Computer Modern a digit is half its type's height wide, an m five sixths."""
    assert ems("0123456789") == pytest.approx(5, abs=0.01) and ems("m") == pytest.approx(0.833, abs=0.01)
    assert (COLUMN, PAGE) == (229, 345)  # of article: \columnwidth of two columns, \textwidth of one


def test_notes_stand_under_the_table_and_what_cells_say_of_seeds_with_them() -> None:
    cells = (Cell("1.5 ± 0.1 (n = 2 of 3)", BEST, ""),)
    text = latex(Table(("NLL (nats) ↓",), (Row("vae", "told labels", cells),)), Legend(("Few.",), ()), "One")
    assert r"\textbf{1.5 $\pm$ 0.1}$^{b}$" in text and "vae$^{a}$" in text
    assert text.index(r"\end{tabular}") < text.index("$^{a}$~told labels. $^{b}$~n = 2 of 3. Few.")
    assert r"\caption{One.}\label{tab:one}" in text and escape_tex("<= 3") == r"$\leq$ 3"


def test_rows_columns_and_forms_are_chosen() -> None:
    scores = json.loads((ROOT / "reports/scores/digits/wgan_gp/scores.json").read_text())
    mean, sd = scores["mean"]["fjd"], scores["sd"]["fjd"]
    each = [row["fjd"] for row in scores["seeds"]]
    rows = {form: made(seeds=form) for form in tables.FORMS}
    assert f"{mean:.1f} ± {sd:.1f}" in rows["sd"] and f"{mean:.1f} ({sd:.1f})" in rows["brackets"]
    assert ", ".join(f"{value:.1f}" for value in each) in rows["all"] and "±" not in rows["mean"]
    assert [line.split(" ")[0] for line in made().splitlines()[1:4]] == ["vae", "gan", "wgan_gp"]
    assert "oracle" in made(models=["gan", "oracle"]) and "NLL" not in made(columns=["fjd"])
    lines = made(format="csv").splitlines()
    assert lines[0] == "model,fjd,fjd_sd,recall,recall_sd,nats,nats_sd" and lines[3].endswith(",,")
    assert float(lines[3].split(",")[1]) == pytest.approx(mean) and float(lines[3].split(",")[2]) == pytest.approx(sd)
    assert len(made(format="csv", seeds="all").splitlines()) == 1 + 3 * 3


def made(**changed: object) -> str:
    wanted = WANTED._replace(**{"format": "plain", "precision": 1, **changed})
    return table.made(of("digits", tuple(wanted.models)), wanted)


def test_a_column_is_called_by_its_name_or_by_its_heading() -> None:
    assert made(columns=["NLL", "FJD"]) == made(columns=["nats", "fjd"]) and "NLL (nats)" in made(columns=["NLL"])
    assert made(columns=["fjd"]).endswith("* best   ~ near it\n") and made(columns=["fjd"], format="latex").endswith(
        "}\n"
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("digit", "unknown benchmark 'digit'; did you mean 'digits'?"),
        ("digits --models wgan_pg", "--models: digits: unknown model 'wgan_pg'; did you mean 'wgan_gp'?"),
        ("digits --columns recal", "--columns: unknown column 'recal'; did you mean 'recall'?"),
        ("digits --format tex", "--format: unknown format 'tex'; did you mean 'latex'?"),
        ("digits --seeds every", "--seeds: unknown form 'every'; known: all, brackets, mean, sd"),
        ("digits --notes fully", "--notes: unknown kind 'fully'; did you mean 'full'?"),
        ("digits --notes full", "--notes full: only with --format latex or markdown"),
        ("digits --caption Mine --format csv", "--caption 'Mine': only with --format latex"),
        ("digits --precision 99", "--precision 99: give 0 to 12 decimals"),
        ("cifar10", "cifar10 has no results in reports/scores/cifar10: `make benchmark NAME=cifar10` runs it"),
    ],
)
def test_what_is_unknown_is_one_line_with_the_remedy(
    asked: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["table", *asked.split()])
    with pytest.raises(ValueError) as caught:
        table.main()
    assert said in str(caught.value) and "\n" not in str(caught.value) and capsys.readouterr().out == ""
