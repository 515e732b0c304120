"""Ranks, scores, interquartile means and paired tests against known answers."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_reports_statistics import report

from reports import page, ranking, suite
from reports.load import Column
from reports.statistics import BEST, TIED, least_p, paired_p

REAL = {"oracle": [10.0, 10.0, 10.0]}


def scores(frame: pd.DataFrame, metric: str = "score") -> dict[str, list[float]]:
    found = frame[frame.metric == metric]
    return {model: group.value.round(12).tolist() for model, group in found.groupby("model")}


def test_more_is_better_counts_from_zero_to_real_samples() -> None:
    found = ranking.runs(report({"a": [5, 8, 12], "b": [0, 10, -1]} | REAL, "higher"))
    assert scores(found) == {"a": [0.5, 0.8, 1.0], "b": [0.0, 1.0, 0.0]}


def test_less_is_better_counts_from_the_worst_mean_to_real_samples() -> None:
    found = ranking.runs(report({"a": [2, 4, 0], "b": [9, 11, 10], "oracle": [1, 1, 1]}, "lower"))
    assert scores(found) == {"a": [round(8 / 9, 12), round(6 / 9, 12), 1.0], "b": [round(1 / 9, 12), 0.0, 0.0]}


def test_units_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    values = {"a": rng.uniform(1, 2, 3), "b": rng.uniform(1, 3, 3), "oracle": np.full(3, 0.5)}
    for direction in ("higher", "lower"):
        one = scores(ranking.runs(report(values, direction)))
        other = scores(ranking.runs(report({model: 1000 * seeds for model, seeds in values.items()}, direction)))
        assert one["a"] == pytest.approx(other["a"]) and one["b"] == pytest.approx(other["b"])


def test_without_an_oracle_the_best_model_is_the_goal() -> None:
    found = scores(ranking.runs(report({"a": [4, 4], "b": [2, 2]}, "higher")))
    assert found == {"a": [1.0, 1.0], "b": [0.5, 0.5]}


@pytest.mark.parametrize(("direction", "values"), [("higher", [0, 0]), ("lower", [10, 10])])
def test_a_column_without_a_range_divides_by_nothing(direction: str, values: list[float]) -> None:
    real = {"oracle": [0.0, 0.0]} if direction == "higher" else {"oracle": [10.0, 10.0]}
    assert scores(ranking.runs(report({"a": values, "b": values} | real, direction)))["a"] == [1.0, 1.0]


def test_all_models_better_than_real_samples_score_one() -> None:
    assert scores(ranking.runs(report({"a": [2, 3], "b": [1, 12], "oracle": [9, 9]}, "lower"))) == {
        "a": [1.0, 1.0],
        "b": [1.0, 0.0],
    }


def test_a_run_without_a_value_is_last_and_scores_nothing() -> None:
    found = ranking.runs(report({"a": [5, None, 5], "b": [4, 4, 5], "c": [1, 1, 1]} | REAL, "higher"))
    assert scores(found)["a"] == [0.5, 0.0, 0.5]
    assert scores(found, "place") == {"a": [1, 3, 1.5], "b": [2, 1, 1.5], "c": [3, 2, 3]}


def test_diverged_seeds_count_in_the_ranking() -> None:
    made = ranking.compared(report({"a": [5, 5], "b": [4, 4]} | REAL, "higher", diverged=2))
    a = made[(made.model == "a") & (made.metric == "score")].iloc[0]
    assert a["mean"] == pytest.approx(0.25) and a.n == 4 and a.diverged == 2


def test_only_columns_of_most_models_are_ranked() -> None:
    few = report({"a": [1, 2], "b": [None, None]} | REAL, "higher")
    assert ranking.ranked(few) == () and ranking.ranked(report({"a": [1], "b": [1]}, None)) == ()
    assert [column.name for column in ranking.ranked(report({"a": [1], "b": [1], "c": [None]}, "higher"))] == ["m"]


def test_models_come_out_from_the_best_to_the_worst() -> None:
    made = ranking.compared(report({"low": [1, 1], "top": [9, 9], "mid": [5, 5]} | REAL, "higher"))
    assert made.model.unique().tolist() == ["top", "mid", "low"] and "oracle" not in set(made.model)


def matrix(values: dict[str, list[float]], benchmarks: list[str]) -> pd.DataFrame:
    index = pd.MultiIndex.from_arrays([benchmarks, range(len(benchmarks))], names=["benchmark", "seed"])
    return pd.DataFrame(values, index=index)


def test_the_interquartile_mean_drops_a_quarter_at_either_end() -> None:
    assert ranking.interquartile_mean(np.array([0, 0, 3, 4, 5, 6, 9, 99])) == pytest.approx(4.5)
    assert ranking.interquartile_mean(np.array([1.0, 2.0, 6.0])) == pytest.approx(3)


def test_the_bootstrap_resamples_the_seeds_of_each_benchmark() -> None:
    """Constant seeds give an interval without width however far benchmarks are apart; an unstratified one would not."""
    found = ranking.summed_up(matrix({"a": [0.2, 0.2, 0.9, 0.9]}, ["x", "x", "y", "y"]))[0]
    assert (found.iqm, found.low, found.high) == pytest.approx((0.55, 0.55, 0.55))


def test_the_best_interquartile_mean_is_marked_and_what_ties_with_it() -> None:
    rng = np.random.default_rng(0)
    base = rng.uniform(0.4, 0.6, 20)
    values = {"best": base + 0.01, "near": base[::-1], "far": base - 0.3, "shifted": base}
    found = ranking.summed_up(matrix(values, ["x"] * 10 + ["y"] * 10))
    assert found[0].model == "best"
    assert {entry.model: entry.mark for entry in found} == {
        "best": BEST,
        "near": TIED,
        "far": "",
        "shifted": "",
    }  # shifted: in every seed


def test_a_model_counts_on_the_benchmarks_it_is_on() -> None:
    found = ranking.summed_up(matrix({"a": [0.2, 0.2, 0.8, 0.8], "b": [np.nan] * 2 + [0.6, 0.6]}, list("xxyy")))
    assert [(entry.runs, entry.iqm) for entry in found if entry.model == "b"] == [(2, 0.6)]


@pytest.mark.parametrize("n", [3, 6, 9])
def test_the_paired_test_is_scipys_exact_one(n: int) -> None:
    for seed in range(5):
        differences = np.random.default_rng(seed).normal(0.5, 1, n)
        known = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
        assert paired_p(differences[:, None]) == pytest.approx([known.pvalue])


def test_no_p_is_below_what_so_few_pairs_allow() -> None:
    for n in (1, 3, 10, 16):
        assert paired_p(np.full((n, 4), 0.5)).tolist() == [least_p(n)] * 4 == [2.0 ** (1 - n)] * 4
    assert paired_p(np.zeros((5, 2))).tolist() == [1, 1] and paired_p(np.zeros((3, 0))).tolist() == []
    assert least_p(30) <= paired_p(np.linspace(1, 2, 30)[:, None])[0] < 1e-3


def test_the_correction_looks_at_all_columns_together() -> None:
    """By hand, for two pairs: of the four flips, all plus and all minus reach the first column's 2 / sqrt 2."""
    differences = np.array([[1.0, 1.0], [1.0, -1.0]])
    assert paired_p(differences).tolist() == [1.0, 1.0]  # the other two flips reach it in the second column
    alone = np.random.default_rng(0).normal(0.5, 1, (8, 6))
    single = np.concatenate([paired_p(alone[:, [place]]) for place in range(6)])
    together = paired_p(alone)
    assert (together >= single).all() and (together > single).any()
    np.testing.assert_array_equal(paired_p(np.repeat(alone[:, :1], 6, axis=1)), np.repeat(single[:1], 6))


def test_among_equals_one_in_twenty_families_has_a_winner() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_t(2, (1000, 8, 5))  # families, runs, models
    pairs = [(a, b) for a in range(5) for b in range(a)]
    false = [min(paired_p(np.stack([runs[:, a] - runs[:, b] for a, b in pairs], axis=1))) < 0.05 for runs in scores]
    assert 0.03 < np.mean(false) < 0.065


def test_a_beats_b_takes_enough_pairs() -> None:
    rng = np.random.default_rng(0)
    for runs, beaten in ((3, 0), (10, 3)):
        values = {name: rng.uniform(0, 0.1, runs) + shift for name, shift in (("a", 0.8), ("b", 0.5), ("c", 0.2))}
        duels = ranking.duel(matrix(values, ["x"] * runs))
        assert duels.beats.to_numpy().sum() == beaten and duels.pairs == 3 and duels.runs == runs
        assert ("none can pass, which takes 6 runs" in ranking.rule(duels)) == (runs == 3)
        np.testing.assert_allclose(duels.excess, -duels.excess.T)
        assert list(duels.excess) == ["a", "b", "c"] and bool((duels.excess.loc["a"].dropna() > 0).all())


def test_models_that_never_meet_are_not_compared() -> None:
    duels = ranking.duel(matrix({"a": [0.5, np.nan], "b": [np.nan, 0.5], "c": [0.1, np.nan]}, ["x", "y"]))
    assert duels.pairs == 1 and duels.excess.loc["a", "c"] == pytest.approx(0.4)
    assert duels.excess.loc["b"].isna().all() and not duels.beats.any(axis=None)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of two benchmarks; `c` is on the first only and told labels."""
    root = tmp_path_factory.mktemp("rendered")
    for name, values in (("first", {"a": [5, 6], "b": [7, 8], "c": [9, 9]}), ("second", {"a": [1, 1], "b": [9, 9]})):
        made = report(values | REAL, "higher", benchmark=name)
        made.seeds.loc[made.seeds.model == "c", "given"] = "label"
        (root / name).mkdir()
        page.benchmark(made, root / name, "../../index.html")
    return root


@pytest.fixture
def pages(rendered: Path, tmp_path: Path) -> list[Path]:
    shutil.copytree(rendered, tmp_path / "benchmarks")
    return [tmp_path / "benchmarks" / name for name in ("first", "second")]


def test_a_page_ranks_its_models_and_says_who_was_told_labels(pages: list[Path]) -> None:
    html, text = (pages[0] / "index.html").read_text(), (pages[0] / "ranking.md").read_text()
    assert "<h2>Ranking</h2>" in html and 'src="duels.png"' in html and (pages[0] / "duels.png").exists()
    first = next(line for line in text.splitlines() if line.startswith("| `"))
    assert first.startswith("| `c` (told labels) | **0.900 ± 0.000** | **1.00 ± 0.00** | 1 of 1 | 0 of 2 |")
    assert "Ranked by M." in text and "none can pass" in text
    assert "told labels" in (pages[0] / "table.md").read_text()


def test_the_index_ranks_models_over_all_benchmarks(pages: list[Path], tmp_path: Path) -> None:
    made = page.index(pages, tmp_path)
    rows = [line for line in made["suite/ranking.md"].splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["c", "b", "a"]
    assert rows[1].startswith("| `b` | ") and "0.850 (" in rows[1] and "0.750 ± 0.071" in rows[1]
    assert rows[0].endswith("0.900 ± 0.000** | n/a |") and "(told labels)" in rows[0]
    assert made["suite/profile.png"][:4] == made["suite/duels.png"][:4] == b"\x89PNG"
    for name in ("suite/profile.png", "suite/duels.png", "suite/ranking.csv", "suite/ranking.tex"):
        assert name in made["index.html"] and name in made
    assert "## All benchmarks" in made["README.md"] and rows[0] in made["README.md"]
    assert made == page.index(pages, tmp_path)


def test_one_benchmark_has_no_suite(pages: list[Path], tmp_path: Path) -> None:
    made = page.index(pages[:1], tmp_path)
    assert set(made) == {"index.html", "README.md"} and "All benchmarks" not in made["README.md"]


@pytest.mark.parametrize("kind", ["published", "binary"])
def test_benchmarks_of_few_models_stay_out_of_the_suite(pages: list[Path], tmp_path: Path, kind: str) -> None:
    text = (pages[1] / "runs.csv").read_text()
    (pages[1] / "runs.csv").write_text(text.replace(",toys", f",{kind}"))
    assert "suite/ranking.md" not in page.index(pages, tmp_path)


def test_a_damaged_record_of_runs_is_named(pages: list[Path]) -> None:
    (pages[0] / "runs.csv").write_text("model,seed\n")
    with pytest.raises(ValueError, match=r"first/runs\.csv is damaged"):
        suite.standing(pages)


def test_only_columns_of_the_main_table_are_ranked() -> None:
    made = report({"a": [1], "b": [2]}, "higher")
    side = Column("m", "M", "higher", 2, main=False)
    assert ranking.ranked(type(made)(**{**vars(made), "columns": (side,)})) == ()
