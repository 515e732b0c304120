"""The table and the pictures that a reader chooses from: their data, their looks, and that they need no network."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from test_reports import MODELS, POINTS, empty, fabricate, read
from test_reports_likelihoods import report

from pipeline import params
from reports import assets, charts, explore, page, ranking, statistics, style
from reports.load import ORACLE, SWEPT, Column, Report
from reports.looks import HUES, REAL, looks

ROOT = Path(__file__).parents[1]
FAMILIES = params.Params(ROOT).families()


def told(script: str) -> dict:
    """What a data.js tells the page."""
    assert script.startswith("show(") and script.endswith(");\n")
    return json.loads(script[len("show(") : -len(");\n")])


@pytest.fixture
def made(tmp_path: Path) -> Report:
    fabricate(tmp_path / "scores", POINTS)
    return replace(read(tmp_path / "scores"), floors={"share": 0.0})


def test_every_model_has_a_family() -> None:
    board = params.Params(ROOT).board
    listed = [file for files in board.families.values() for file in files]
    assert sorted(listed) == params.stems(ROOT / "models"), "params.yaml: families"


def test_no_two_contestants_have_one_look_nor_the_look_of_real_data() -> None:
    found = looks(FAMILIES)
    assert len({look[1:] for look in found.values()} | {REAL[1:]}) == len(FAMILIES) + 1
    colours = {look.family: look.colour for look in found.values()}
    assert len(set(colours.values())) == len(colours) and set(colours.values()) <= set(HUES)


def test_one_that_is_added_changes_no_look() -> None:
    before = looks(FAMILIES)
    assert looks(FAMILIES | {"another": "GANs", "stranger": ""}).items() >= before.items()


def test_the_data_are_the_scores(made: Report) -> None:
    """Of every seed what the results say, in the unit that is printed; of every cell what the Markdown table says."""
    content = told(explore.script(made))
    names = content["seeds"]["names"]
    found = {(row[0], row[1]): dict(zip(names, row, strict=True)) for row in content["seeds"]["rows"]}
    units = {column.name: 100 if column.percent else 1 for column in made.columns}
    assert len(made.scores)
    for score in made.scores.itertuples():
        assert found[score.model, score.seed][score.metric] == pytest.approx(
            score.value * units[score.metric], rel=1e-4
        )
    assert sum(value is not None for row in content["seeds"]["rows"] for value in row[2:]) == len(made.scores)
    means = statistics.compare(made).set_index(["model", "metric"])["mean"]
    for row in content["rows"]:
        for metric, (text, mean, *_) in row["cells"].items():
            assert mean == pytest.approx(means[row["model"], metric], rel=1e-4) and text != "n/a"
    assert [row["model"] for row in content["rows"]] == [*MODELS, ORACLE] == list(content["looks"])


def test_a_score_is_a_column_where_models_are_ranked() -> None:
    made = report({"a": {"M": [5.0, 6.0]}, "b": {"M": [7.0, 8.0]}, ORACLE: {"M": [10.0, 10.0]}})
    made = replace(made, columns=(Column("M", "M", "higher", 1),), ranked=("M",), floors={"M": 0.0})
    content = explore.content(made)
    assert content["columns"][0]["name"] == ranking.SCORE.name
    assert {row["model"]: row["cells"].get("score", [None, None])[1] for row in content["rows"]} == {
        "a": 0.55, "b": 0.75, ORACLE: None,
    }  # fmt: skip
    assert content["charts"][0]["question"] == "Who is best, and how surely?"


def swept() -> Report:
    """Two samplers over two seeds, and a model that makes samples in one way."""
    rows = [
        (model, seed, "evaluations", at, metric, scale * at + seed)
        for model in ("edm", "ddpm")
        for seed in (0, 1)
        for at in (1.0, 2.0, 4.0)
        for metric, scale in (("modes", 2), ("precision", 0.1), ("recall", 0.2))
    ]
    rows += [
        (model, 0, "guidance", at, metric, at / 10)
        for model in ("edm", "ddpm")
        for at in (0.0, 1.0)
        for metric in ("precision", "recall")
    ]
    made = report({"edm": {"modes": [8.0, 7.0]}, "ddpm": {"modes": [6.0, 6.0]}, ORACLE: {"modes": [8.0, 8.0]}})
    columns = tuple(Column(name, name, "higher", 2) for name in ("modes", "precision", "recall"))
    return replace(made, columns=columns, sweeps=pd.DataFrame(rows, columns=SWEPT))


def test_samplers_that_can_choose_are_drawn_along_their_choice() -> None:
    made = swept()
    tables = explore.drawn(made)
    found = {chart.question: chart for chart in charts.charts(made, tables)}
    assert {"How many evaluations does a sample take?", "What does guidance trade?"} <= set(found)
    assert tables["sweeps"].query("model == 'edm' and sweep == 'evaluations' and seed == 1").modes.tolist() == [3, 5, 9]
    x = found["How many evaluations does a sample take?"].spec["layer"][0]["encoding"]["x"]
    assert (x["field"], x["scale"]["type"]) == ("at", "log")
    other = made.sweeps.assign(metric="users_" + made.sweeps.metric)
    made = replace(made, sweeps=other)
    assert not any(chart.data == "sweeps" for chart in charts.charts(made, explore.drawn(made)))


def test_axes_are_logarithmic_where_small_values_would_be_one_point() -> None:
    table = pd.DataFrame(
        {"model": list("abc"), "fjd": [0.1, 1, 10], "nats": [-3.0, 1.0, 900.0], "recall": [0.001, 0.5, 1]}
    )
    columns = tuple(
        Column(name, name, way, 1) for name, way in (("fjd", "lower"), ("nats", "lower"), ("recall", "higher"))
    )
    made = replace(report({"a": {"fjd": [1.0]}}), columns=columns)
    assert [charts.axis(made, table, name).scale for name in ("fjd", "nats", "recall")] == ["log", "symlog", "linear"]


def test_pages_open_from_a_file_and_need_no_network(made: Report, tmp_path: Path) -> None:
    page.benchmark(made, empty(tmp_path / "benchmarks/made_up"), "../../index.html")
    for name, text in page.index([tmp_path / "benchmarks/made_up"], tmp_path, {}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    for html in (tmp_path / "index.html", tmp_path / "benchmarks/made_up/index.html"):
        text = html.read_text()
        linked = re.findall(r'(?:href|src)="([^"#]+)"', text)
        assert all((html.parent / link).exists() for link in linked), linked
        assert sum(link.endswith(".js") for link in linked) == 4 and "://" not in text
    for script in ("assets/page.js", "benchmarks/made_up/data.js"):
        assert "://" not in (tmp_path / script).read_text()
    for bundle in ("assets/datatables.js", "assets/vega.js", "assets/datatables.css"):
        text = (tmp_path / bundle).read_text()
        assert len(text) < 1_000_000 and "export{" not in text and "@import" not in text
        assert not re.search(r"""(?:src=|url\(|import\()["']?https?:""", text)
    assert "window.DataTable=" in (tmp_path / "assets/datatables.js").read_text()
    assert re.search(r"Vega \d+\.\d+", (tmp_path / "assets/LICENCES.txt").read_text())


def test_assets_are_the_same_again() -> None:
    assert assets.written() == assets.written.__wrapped__()


def test_families_keep_their_order() -> None:
    named = list(dict.fromkeys(family for family in FAMILIES.values()))
    colours = [next(look.colour for look in looks(FAMILIES).values() if look.family == family) for family in named]
    assert colours == list(HUES[: len(named)]) and all(a != b for a, b in pairwise(colours))


def test_lines_have_the_colour_of_the_family_and_no_two_are_alike() -> None:
    palette = looks(FAMILIES)
    vaes, gans = ([name for name, of in FAMILIES.items() if of == family][:5] for family in ("VAEs", "GANs"))
    drawn = style.lines([*vaes, "stranger", *gans], palette)
    assert [drawn[name]["color"] for name in vaes] == 5 * [palette[vaes[0]].colour]
    assert [drawn[name]["color"] for name in gans] == 5 * [palette[gans[0]].colour]
    assert drawn["stranger"]["color"] == style.INK
    seen = [str(found) for found in drawn.values()]
    assert len(set(seen)) == len(seen) == 11
