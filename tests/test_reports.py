"""From files to tables, pictures and pages, on fabricated results: `made_up` numbers, noise for samples."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports import page, pictures, sections, statistics, tables
from reports.load import ORACLE, Column, Report, joined, load
from reports.samples import Density, Samples

COLUMNS = (
    Column("quality", "Quality", "higher", 1, percent=True, note="A share, 100 % & more_or_less."),
    Column("distance", "Distance", "lower", 2),
    Column("likelihood", "nats", "lower", 1),
    Column("spare", "Spare", None, 0, main=False),
)
MODELS = ("plain", "odd_name", "lost")  # `lost` diverges with its first seed
POINTS = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
IMAGES = np.random.default_rng(0).integers(0, 17, (60, 1, 8, 8)).astype(np.uint8)


def fabricate(
    root: Path, x: np.ndarray, models: tuple[str, ...] = MODELS, columns: tuple[Column, ...] = COLUMNS
) -> None:
    """What the stages leave of three seeds of each model and the oracle, under ``root``."""
    for rank, model in enumerate((*models, ORACLE)):
        (root / model / "curves").mkdir(parents=True)
        (root / model / "samples").mkdir()
        rows = []
        for seed in range(3):
            row = {"seed": seed, "status": "finished", "estimator": "exact" if model == "plain" else None}
            row |= {column.name: rank + seed / 8 for column in columns}
            row |= {"likelihood": 3.0 + seed if model == "plain" else None}
            rows.append(row)
            label = {} if model == "plain" or x.ndim == 2 else {"label": np.arange(len(x)) % 10}
            levels = 17 if x.ndim > 2 else 0
            np.savez_compressed(root / model / "samples" / f"{seed}.npz", x=x, levels=levels, **label)
            curve = "step,critic,generator\n1,0.5,1\n2,0.25,\n3,-0.5,2\n"
            (root / model / "curves" / f"{seed}.csv").write_text(curve)
        if model == "lost":
            rows[0] = {"seed": 0, "status": "diverged", "step": 2, "player": "critic", "distance": -1e9}
        protocol = ["Fabricated: 60 samples, 100 % noise."]
        content = {"seeds": rows, "columns": [column._asdict() for column in columns], "protocol": protocol}
        (root / model / "scores.json").write_text(json.dumps(content))
        runs = [{"seed": row["seed"], "status": row["status"], "seconds": 2.0} for row in rows]
        (root / model / "training.json").write_text(json.dumps({"seeds": runs}))


def read(root: Path, models: tuple[str, ...] = MODELS) -> Report:
    samples = {model: root / model / "samples" for model in (*models, ORACLE)}
    return load("made_up", "toys", models, root, samples)


@pytest.fixture
def points(tmp_path: Path) -> Report:
    fabricate(tmp_path / "scores", POINTS)
    line = np.linspace(-3, 3, 20)
    density = Density(line, line, -(line**2 + line[:, None] ** 2) / 2)
    return replace(read(tmp_path / "scores"), density=density, facts={"Data": "noise"})


@pytest.fixture
def images(tmp_path: Path) -> Report:
    fabricate(tmp_path / "image_scores", IMAGES)
    return read(tmp_path / "image_scores")


def test_reading_keeps_what_finished_and_only_that(points: Report) -> None:
    assert not points.scores.isna().any(axis=None)
    lost = points.scores[points.scores.model == "lost"]
    assert set(lost.seed) == {1, 2}
    assert set(points.scores[points.scores.metric == "likelihood"].model) == {"plain"}
    assert points.samples["lost"].seed == 1 and points.samples["plain"].seed == 0
    assert set(points.curves[points.curves.model == "lost"].seed) == {0, 1, 2}
    assert len(points.curves[(points.curves.model == "plain") & (points.curves.player == "generator")]) == 6


@pytest.mark.parametrize(
    "name", ["scores.json", "training.json", "curves/1.csv", "samples/0.npz", "../oracle/scores.json"]
)
def test_a_missing_or_damaged_file_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    fabricate(tmp_path, POINTS)
    path = tmp_path / "plain" / name
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2] if name != "curves/1.csv" else b"", b"\x00\xff nonsense"):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"damaged.*dvc repro benchmarks/made_up/dvc\.yaml") as caught:
            read(tmp_path)
        assert path.name in str(caught.value) and "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(OSError, match=r"is missing; `dvc repro benchmarks/made_up/dvc\.yaml` makes it"):
        read(tmp_path)


def test_a_training_record_of_another_run_is_refused(tmp_path: Path) -> None:
    fabricate(tmp_path, POINTS)
    (tmp_path / "plain" / "training.json").write_text('{"seeds": [{"seed": 0, "seconds": 1}]}')
    with pytest.raises(ValueError, match="lacks seed 1"):
        read(tmp_path)


def shown(report: Report) -> tables.Table:
    return tables.table(statistics.main_part(statistics.compare(report)))


def test_the_table_shows_marks_divergence_and_what_is_not_available(points: Report) -> None:
    found = shown(points)
    assert found.headings == ("Quality (%) ↑", "Distance ↓", "nats ↓", "s/seed")
    rows = {row.model: row for row in found.rows}
    assert [row.model for row in found.rows] == ["plain", "odd_name", "lost", "oracle"]
    assert rows["lost"].note == "1/3 diverged" and rows["plain"].note == ""
    assert rows["plain"].cells[1].text == "0.12 ± 0.12" and rows["plain"].cells[1].mark == statistics.BEST
    assert rows["lost"].cells[0].text == "218.8 ± 8.8 (n = 2 of 3)" and not rows["lost"].cells[0].mark
    assert rows["odd_name"].cells[0].text == "112.5 ± 12.5" and rows["odd_name"].cells[0].mark == statistics.BEST
    assert rows["lost"].cells[2].text == "n/a" and rows["plain"].cells[2].text == "4.0 ± 1.0"
    assert not any(cell.mark for cell in rows["oracle"].cells)
    assert rows["plain"].cells[1].hint == "3 seeds: 0.00, 0.12, 0.25"


def test_numbers_keep_their_decimals_and_huge_ones_become_scientific() -> None:
    two, share = Column("x", "X", None, 2), Column("x", "X", None, 1, percent=True)
    assert tables.number(two, 1 / 3) == "0.33" and tables.number(two, -0.001) == "0.00"
    assert tables.number(two, 1.5e9) == "1.50e+09" and tables.number(share, 0.98889) == "98.9"


def test_a_value_that_a_finished_seed_lacks_is_told(points: Report) -> None:
    scores = points.scores.drop(points.scores.index[(points.scores.metric == "distance") & (points.scores.seed == 0)])
    cells = {row.model: row.cells[1].text for row in shown(replace(points, scores=scores)).rows}
    assert cells["plain"].endswith("(n = 2 of 3)") and cells["odd_name"].endswith("(n = 2 of 3)")


def test_why_a_value_is_missing_is_said_once(points: Report, tmp_path: Path) -> None:
    content = json.loads((file := tmp_path / "scores/odd_name/scores.json").read_text())
    for row in content["seeds"]:
        row["reasons"] = {"likelihood": "no density", "fid": "no weights"}
    file.write_text(json.dumps(content))
    made = read(tmp_path / "scores")
    page.benchmark(made, empty(tmp_path / "page"), "../index.html")
    html = (tmp_path / "page/index.html").read_text()
    assert html.count("<dt>nats: n/a</dt><dd>no density (odd_name)</dd>") == 1
    assert html.count("<dt>fid: n/a</dt><dd>no weights (odd_name)</dd>") == 1
    none = statistics.compare(made).query("metric == 'nothing'")
    assert list(tables.reasons(made, none)) == []
    none = statistics.compare(made).assign(metric="nothing")
    every = made.reasons.assign(model=[MODELS[place % 3] for place in range(len(made.reasons))])
    assert ("fid: n/a", "no weights") in tables.reasons(replace(made, reasons=every), none)


def test_markdown(points: Report) -> None:
    comparison = statistics.main_part(statistics.compare(points))
    text = tables.markdown(tables.table(comparison), tables.legend(points, comparison))
    assert "| `lost` (1/3 diverged) |" in text and "**0.12 ± 0.12**" in text and "| *oracle* |" in text
    assert "Fabricated: 60 samples" in text and "nothing is tested" in text and "exact (plain)" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_what_stands_under_a_table_speaks_of_its_rows_alone(points: Report) -> None:
    comparison = statistics.compare(points)
    whole = " ".join(tables.brief(points, comparison).protocol)
    part = " ".join(tables.brief(points, comparison[comparison.model != "plain"]).protocol)
    assert "Likelihood: exact (plain)." in whole and "Likelihood" not in part


def test_latex_escapes_everything_and_uses_booktabs_only(points: Report) -> None:
    comparison = statistics.main_part(statistics.compare(points))
    text = tables.latex(tables.table(comparison), tables.legend(points, comparison), points.benchmark)
    assert r"odd\_name" in text and r"made\_up" in text and r"100 \% noise" in text and r"\& more\_or\_less" in text
    assert r"\textbf{0.12 $\pm$ 0.12}" in text and r"Distance~$\downarrow$" in text and text.isascii()
    assert tables.escape_tex("\\~^{}$#") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}\{\}\$\#"
    for line in text.splitlines():
        assert line.count("{") - line.count(r"\{") == line.count("}") - line.count(r"\}"), line


def test_plain_text_fits_its_width_and_loses_nothing(points: Report) -> None:
    wide, narrow = tables.plain(shown(points)), tables.plain(shown(points), width=50)
    assert max(map(len, wide.splitlines())) <= 120 and max(map(len, narrow.splitlines())) <= 50
    for text in (wide, narrow):
        assert "*0.12 ± 0.12" in text and "lost (1/3 diverged)" in text and text.count("n/a") == 4


def test_the_csv_reads_back_as_the_same_table(points: Report, tmp_path: Path) -> None:
    page.benchmark(points, empty(tmp_path / "page"), "../index.html")
    comparison = statistics.main_part(statistics.compare(points))
    again = tables.read(tmp_path / "page/table.csv")
    assert tables.table(again) == tables.table(comparison)
    np.testing.assert_array_equal(again["mean"], comparison["mean"])
    raw = pd.read_csv(tmp_path / "page/seeds.csv")
    assert raw[(raw.model == "plain") & (raw.metric == "distance")].value.tolist() == [0, 0.125, 0.25]
    (tmp_path / "page/table.csv").write_text("model\nx\n")
    with pytest.raises(ValueError, match=r"table\.csv is damaged"):
        tables.read(tmp_path / "page/table.csv")


def empty(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("kind", ["points", "images"])
def test_a_page_has_every_file_it_links_and_is_the_same_again(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(kind)
    for place in ("one", "two"):
        page.benchmark(report, empty(tmp_path / place), "../index.html")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
        assert (tmp_path / "one" / file).stat().st_size < 200_000, file
    html = (tmp_path / "one/index.html").read_text()
    linked = {link for link in re.findall(r'(?:href|src)="([^"]+)"', html) if not link.startswith("..")}
    assert {Path(link) for link in linked} <= set(files) and "http" not in html
    expected = "points.png" if kind == "points" else "grids.png"
    assert {"table.md", "table.csv", "table.tex", "full.md", "full.csv", "curves.png", expected} <= linked
    assert "1/3 diverged" in (tmp_path / "one/data.js").read_text()
    assert (tmp_path / "one/cover.png").exists()
    if kind == "images":
        assert {f"grids/{model}.png" for model in (*MODELS, ORACLE)} <= linked


def test_names_and_notes_are_escaped_on_pages(tmp_path: Path) -> None:
    wicked = ("<b>bold", "a&b")
    fabricate(tmp_path / "scores", POINTS, wicked)
    page.benchmark(read(tmp_path / "scores", wicked), empty(tmp_path / "pages/made_up"), "../index.html")
    made = page.index([tmp_path / "pages/made_up"], tmp_path / "pages", {})
    for html in ((tmp_path / "pages/made_up/index.html").read_text(), made["index.html"]):
        assert "<b>" not in html


def test_the_index_has_every_benchmark_with_its_table(points: Report, tmp_path: Path) -> None:
    for name in ("first", "second"):
        page.benchmark(replace(points, benchmark=name), empty(tmp_path / "benchmarks" / name), "../../index.html")
    made = page.index([tmp_path / "benchmarks/first", tmp_path / "benchmarks/second"], tmp_path, {})
    for name in ("first", "second"):
        assert f'href="benchmarks/{name}/index.html"' in made["index.html"]
        assert f'src="benchmarks/{name}/cover.png"' in made["index.html"]
        assert f"## {name}\n" in made["README.md"]
        assert f'<script defer src="benchmarks/{name}/data.js">' in made["index.html"]
        assert "0.12 ± 0.12" in (tmp_path / "benchmarks" / name / "data.js").read_text()
    assert made["README.md"].count("**0.12 ± 0.12**") == 2
    assert "No report" in page.index([], tmp_path, {})["index.html"]


def test_sections_are_found_by_listing_and_skip_what_is_not_theirs(
    points: Report, images: Report, tmp_path: Path
) -> None:
    files = {path.stem for path in Path(sections.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(sections.names()) == files
    from reports.sections import grids
    from reports.sections import points as clouds

    assert grids.render(points, tmp_path) is None
    assert clouds.render(images, tmp_path) is None


def test_a_model_that_only_diverged_leaves_the_rest_of_the_page_alone(tmp_path: Path) -> None:
    fabricate(tmp_path / "scores", POINTS)
    lost = tmp_path / "scores/lost"
    content = json.loads((lost / "scores.json").read_text())
    content["seeds"] = [{"seed": seed, "status": "diverged", "step": 1, "player": "critic"} for seed in range(3)]
    (lost / "scores.json").write_text(json.dumps(content))
    for seed in range(3):
        (lost / "curves" / f"{seed}.csv").write_text("step,critic,generator\n1,inf,1e30\n" if seed else "")
        (lost / "samples" / f"{seed}.npz").unlink()
    report = read(tmp_path / "scores")
    page.benchmark(report, empty(tmp_path / "page"), "../index.html")
    row = next(row for row in shown(report).rows if row.model == "lost")
    assert row.note == "3/3 diverged" and {cell.text for cell in row.cells} == {"n/a"}


def test_labels_order_the_rows_of_a_sheet_and_gaps_stay_white() -> None:
    values = np.array([2, 0, 1, 0, 2, 0], np.uint8)
    samples = Samples(values.reshape(-1, 1, 1, 1), values, seed=0, levels=3)
    places = pictures.pick(samples, rows=3, across=2)
    assert places.tolist() == [[1, 3], [2, -1], [0, 4]]
    sheet = pictures.tile(samples, places)
    assert sheet.shape == (5, 3, 3)
    assert sheet[::2, ::2, 0].tolist() == [[0, 0], [128, 255], [255, 255]]


def test_without_labels_a_sheet_shows_the_first_samples() -> None:
    samples = Samples(np.zeros((5, 3, 4, 4), np.uint8), None, seed=0, levels=256)
    assert pictures.pick(samples, 2, 3).tolist() == [[0, 1, 2], [3, 4, -1]]


@pytest.mark.parametrize("x", [POINTS, IMAGES, IMAGES.repeat(3, 1)], ids=["points", "grey", "colour"])
def test_preview(x: np.ndarray, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "0.npz", x=x, levels=17 if x.ndim == 4 else 0)
    pictures.preview(tmp_path / "0.npz", tmp_path / "0.png")
    with Image.open(tmp_path / "0.png") as picture:
        assert min(picture.size) >= 200 and not picture.info


def test_lines_that_say_the_same_of_several_models_are_one() -> None:
    lines = ("9 samples.", "a is told labels.", "b is shown images.", "c is told labels.", "What is this.")
    expected = ("9 samples.", "a, c: each is told labels.", "b is shown images.", "What is this.")
    assert joined(lines, ["a", "b", "c"]) == expected
