"""Published figures: facts with sources, units, and verdicts against known answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_reports_statistics import report

from benchmarks import metrics
from models import names
from pipeline import params
from reports.load import Column, Report
from reports.sections import published
from reports.statistics import BETTER, WITHIN, WORSE, Estimate, verdict

FIGURES = published.figures()
PARAMS = params.Params(Path(__file__).parents[1])
BENCHMARKS = PARAMS.benchmarks()


def measured(values: dict[str, list[float]], benchmark: str = "ring_pacgan", column: str = "high_quality") -> Report:
    """A report with one column of the modes' metric, under its true name."""
    made = report(values, "higher", benchmark=benchmark)
    shown = next(Column(*found) for found in metrics.columns(["modes"]) if found.name == column)
    return replace(made, columns=(shown,), scores=made.scores.assign(metric=column))


def test_every_number_has_a_source_and_a_place_where_it_is_shown() -> None:
    for column in ("ours", "model", "metric", "value", "protocol", "cite", "source", "year", "where"):
        assert (FIGURES[column] != "").all(), column
    on_arxiv = FIGURES[FIGURES.arxiv != ""]
    assert on_arxiv.arxiv.str.fullmatch(r"\d{4}\.\d{4,5}").all() and FIGURES.year.str.fullmatch(r"20\d\d").all()
    assert FIGURES["where"][FIGURES.arxiv == ""].str.contains(r"github\.com/\w+").all()
    assert np.isfinite(FIGURES.value.astype(float)).all()
    assert ((FIGURES.spread == "") == (FIGURES.spread_kind == "")).all()
    assert set(FIGURES.spread_kind) <= {"", "s.e.", "s.d."}
    assert (FIGURES.runs[FIGURES.spread != ""].astype(int) > 1).all()
    assert (abs(on_arxiv.year.astype(int) - 2000 - on_arxiv.arxiv.str[:2].astype(int)) <= 1).all()
    assert not FIGURES.duplicated(["same", "context", "ours", "model", "metric", "cite"]).any()


def test_models_metrics_and_benchmarks_are_ours() -> None:
    contestants = {name for kind in PARAMS.board.kinds.values() for name in kind.models}
    assert set(FIGURES.ours) <= contestants | set(names())
    assert {name for column in ("same", "context") for cell in FIGURES[column] for name in cell.split()} <= set(
        BENCHMARKS
    )
    known = {column.name: column for column in metrics.columns(metrics.names())}
    assert set(FIGURES.metric) <= set(known)
    for row in FIGURES.itertuples():  # a share is printed in percent
        assert float(row.value) >= 0 and (not known[row.metric].percent or float(row.value) <= 100)


def test_a_protocol_of_its_own_has_its_benchmark() -> None:
    same = FIGURES[FIGURES.same != ""]
    assert set(same.same) == {"ring_pacgan", "grid_pacgan"} and set(same.cite) == {"Lin et al. 2018"}
    assert not any(row.same in row.context.split() for row in same.itertuples())
    assert set(same.steps) == {"400000"} and "400 passes over 100,000 points in batches of 100" in same.protocol.iloc[0]


def test_the_verdict_is_welchs_test_with_their_standard_error() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for shift in (-1.0, -0.3, 0.0, 0.3, 1.0):
        ours = rng.normal(6.3 + shift, 0.4, 5)
        known = stats.ttest_ind_from_stats(ours.mean(), ours.std(ddof=1), 5, 6.3, 0.2 * 10**0.5, 10, equal_var=False)
        found = verdict(ours, Estimate(6.3, 0.2**2, 10), "higher")
        assert (found == WITHIN) == (known.pvalue >= 0.05)
        assert found == WITHIN or (found == BETTER) == (ours.mean() > 6.3)
        assert verdict(-ours, Estimate(-6.3, 0.2**2, 10), "lower") == found
        seen.add(found)
    assert seen == {WITHIN, BETTER, WORSE}


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.980, 0.983, 0.984], WITHIN), ([0.995, 0.996, 0.997], BETTER), ([0.90, 0.91, 0.92], WORSE)],
)
def test_shares_meet_percents(values: list[float], expected: str) -> None:
    found = published.beside(measured({"gan": values}))
    assert found[0].published.value == "98.2" and found[0].verdict == expected


def test_too_little_gets_no_verdict() -> None:
    found = published.beside(measured({"gan": [0.98]}))
    assert [entry.verdict for entry in found] == ["none (n = 1)", published.OTHER]
    bare = found[0].published.copy()
    bare["spread"] = ""
    assert published.judged(bare, found[0].column, np.array([0.98, 0.99]), 400_000) == "none (no spread)"
    unranked = found[0].column._replace(direction=None)
    said = published.judged(found[0].published, unranked, np.array([0.98, 0.99]), 400_000)
    assert said == "none (neither way is better)"


def test_a_published_deviation_becomes_an_error_of_the_mean() -> None:
    entry = published.beside(measured({"gan": [6, 6.5, 7]}, column="modes"))[0]
    error, deviation = entry.published.copy(), entry.published.copy()
    error["spread"], error["spread_kind"], error["runs"] = "0.1", "s.e.", "25"
    deviation["spread"], deviation["spread_kind"], deviation["runs"] = "0.5", "s.d.", "25"
    for ours in np.linspace(5.5, 7, 16):
        values = ours + np.array([-0.1, 0, 0.1])
        verdicts = {published.judged(each, entry.column, values, 400_000) for each in (error, deviation)}
        assert len(verdicts) == 1


def test_under_another_protocol_there_are_figures_and_no_verdict(tmp_path: Path) -> None:
    made = measured({"gan": [0.5, 0.6, 0.7]}, "ring")
    fragment = published.render(made, tmp_path)
    assert fragment is not None and fragment.text == "Context, no verdict"
    (_, table), *_ = fragment.tables
    assert "Verdict" not in table.headings and len(table.headings) == len(table.rows[0].cells)
    assert published.RULE not in fragment.legend.protocol and published.CONTEXT in fragment.legend.protocol


def test_the_section_shows_ours_theirs_the_verdict_and_the_source(tmp_path: Path) -> None:
    made = measured({"gan": [0.98, 0.982, 0.984], "plain": [1.0, 1.0, 1.0]})
    fragment = published.render(made, tmp_path)
    assert fragment is not None and fragment.text == "Verdicts: 1 within"
    text = (tmp_path / "published.md").read_text()
    assert "| `gan` | High quality (%) ↑ | 98.20 ± 0.20 | 98.2 ± 0.2 s.e. | within | GAN, Lin et al. 2018 |" in text
    assert "arXiv:1712.04086, Table 1" in text and "`plain`" not in text
    assert r"98.2 $\pm$ 0.2 s.e." in (tmp_path / "published.tex").read_text()
    tidy = pd.read_csv(tmp_path / "published.csv")
    assert tidy.loc[0, ["mean", "value", "n"]].tolist() == pytest.approx([98.2, 98.2, 3])
    assert tidy.loc[0, "verdict"] == WITHIN
    assert all((tmp_path / file).exists() for file in fragment.files)


def test_a_shorter_training_gets_no_verdict(tmp_path: Path) -> None:
    made = measured({"gan": [0.98, 0.982, 0.984]})
    for steps, said, text in (
        (400_000, "within", "Verdicts: 1 within"),
        (30_000, "none (7.5 % of their steps)", "Context, no verdict"),
    ):
        fragment = published.render(replace(made, seeds=made.seeds.assign(step=steps)), tmp_path)
        assert fragment is not None and fragment.text == text
        assert pd.read_csv(tmp_path / "published.csv").verdict.tolist() == [said, published.OTHER]


def test_a_benchmark_without_published_figures_has_no_section(tmp_path: Path) -> None:
    assert published.render(measured({"gan": [0.5, 0.6]}, "made_up"), tmp_path) is None
    assert published.render(measured({"nobody": [0.5, 0.6]}), tmp_path) is None
    assert not list(tmp_path.iterdir())
