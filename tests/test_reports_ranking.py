"""Ranks, scores and what is made of them over benchmarks, against known answers."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_reports_statistics import report

from reports import page, ranking, suite
from reports.sections import ranking as section
from reports.statistics import BEST, TIED

REAL = {"oracle": [10.0, 10.0, 10.0]}


def scores(frame: pd.DataFrame, metric: str = "score") -> dict[str, list[float]]:
    found = frame[frame.metric == metric]
    return {model: group.value.round(12).tolist() for model, group in found.groupby("model")}


def test_more_is_better_counts_from_zero_to_real_samples() -> None:
    found = ranking.runs(report({"a": [5, 8, 12], "b": [0, 10, -1]} | REAL, "higher"))
    assert scores(found) == {"a": [0.5, 0.8, 1.0], "b": [0.0, 1.0, 0.0]}


def test_less_is_better_counts_from_the_floor_to_real_samples() -> None:
    """From 11 to 1: 2 has come 9 of 10 parts of the way."""
    made = report({"a": [2, 4, 0], "b": [9, 16, 10], "oracle": [1, 1, 1]}, "lower", floor=11)
    assert scores(ranking.runs(made)) == {"a": [0.9, 0.7, 1.0], "b": [0.2, 0.0, 0.1]}


@pytest.mark.parametrize(("direction", "floor"), [("lower", 9.0), ("higher", 0.0)])
def test_leaving_one_out_changes_no_others_score_or_order(direction: str, floor: float) -> None:
    rng = np.random.default_rng(0)
    values: dict[str, list[float | None]] = {f"m{k}": list(rng.uniform(0, 4, 3) * (1 + k)) for k in range(8)}
    values["m3"][1] = None
    whole = ranking.runs(report(values | REAL, direction, floor=floor))
    order = list(ranking.compared(report(values | REAL, direction, floor=floor)).model.unique())
    for left in values:
        made = report({model: found for model, found in values.items() if model != left} | REAL, direction, floor=floor)
        kept = {model: found for model, found in scores(whole).items() if model != left}
        assert scores(ranking.runs(made)) == kept
        assert list(ranking.compared(made).model.unique()) == [model for model in order if model != left]


@pytest.mark.parametrize(("direction", "real"), [("higher", 0.0), ("lower", 10.0)])
def test_a_column_without_a_range_divides_by_nothing(direction: str, real: float) -> None:
    made = report({"a": [real], "b": [5], "oracle": [real]}, direction, floor=real)
    assert scores(ranking.runs(made)) == {"a": [1.0], "b": [1.0]}  # 5 is better than both, of either kind


def test_real_samples_beyond_the_floor_leave_only_who_is_as_good() -> None:
    made = report({"a": [2, 3], "b": [1, 12], "oracle": [9, 9]}, "lower", floor=8)
    assert scores(ranking.runs(made)) == {"a": [1.0, 1.0], "b": [1.0, 0.0]}


def test_a_run_without_a_value_is_last_and_scores_nothing() -> None:
    found = ranking.runs(report({"a": [5, None, 5], "b": [4, 4, 5], "c": [1, 1, 1]} | REAL, "higher"))
    assert scores(found)["a"] == [0.5, 0.0, 0.5]
    assert scores(found, "place") == {"a": [1, 3, 1.5], "b": [2, 1, 1.5], "c": [3, 2, 3]}


def test_diverged_seeds_count_in_the_ranking() -> None:
    made = ranking.compared(report({"a": [5, 5], "b": [4, 4]} | REAL, "higher", diverged=2))
    a = made[(made.model == "a") & (made.metric == "score")].iloc[0]
    assert a["mean"] == pytest.approx(0.25) and a.n == 4 and a.diverged == 2


def test_ranked_are_named_columns_that_have_a_floor_and_real_samples() -> None:
    made = report({"a": [1], "b": [None]} | REAL, "higher")
    assert [column.name for column in ranking.ranked(made)] == ["m"]  # however few models have a value
    assert ranking.ranked(replace(made, ranked=())) == ranking.ranked(replace(made, floors={})) == ()
    assert ranking.ranked(report({"a": [1], "b": [1]}, "higher")) == ()  # no oracle
    assert ranking.ranked(report({"a": [1]} | REAL, None, floor=0)) == ()


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


def test_the_best_interquartile_mean_is_marked_and_from_five_seeds_on_what_ties_with_it() -> None:
    for seeds, tied in ((10, TIED), (4, "")):
        base = np.random.default_rng(0).uniform(0.4, 0.6, 2 * seeds)
        values = {"best": base + 0.01, "near": base[::-1], "far": base - 0.3}
        found = ranking.summed_up(matrix(values, ["x"] * seeds + ["y"] * seeds))
        assert found[0].model == "best"
        assert {entry.model: entry.mark for entry in found} == {"best": BEST, "near": tied, "far": ""}


def test_the_optimality_gap_by_hand() -> None:
    """Short of 1 by .8, .1, 0 and, ahead of it, 0: .225 in the mean."""
    assert ranking.optimality_gap(np.array([0.2, 0.9, 1.0, 1.5])) == pytest.approx(0.225)
    found = ranking.summed_up(matrix({"a": [0.2, 0.2, 0.8, 0.8]}, list("xxyy")))[0]
    assert (found.gap, found.gap_low, found.gap_high) == pytest.approx((0.5, 0.5, 0.5))


def test_the_probability_of_improvement_by_hand() -> None:
    """On x of the pairs 1:2, 1:3, 3:2, 3:3 one and a half are won, on y the only one: (3/8 + 1) / 2."""
    ours, theirs = [np.array([1.0, 3.0]), np.array([5.0])], [np.array([2.0, 3.0]), np.array([4.0])]
    drawn = [ranking.shares(ranking.draws(name, side)) for name, side in (("a", ours), ("b", theirs))]
    probability, (low, high) = ranking.improvement(ours, theirs, *drawn)
    assert probability == pytest.approx(0.6875)
    assert (low, high) == (0.5, 1)  # x alone: from losing all to winning all; y is constant
    a, b = np.random.default_rng(0).normal(size=(2, 9))
    found = ranking.improvements(matrix({"a": list(a), "b": list(b)}, ["x"] * 9))
    assert found[0].probability == pytest.approx(stats.mannwhitneyu(a, b).statistic / 81)
    assert found[1][2:] == pytest.approx((1 - found[0].probability, 1 - found[0].high, 1 - found[0].low))
    wins = [  # by resampled runs, one by one
        (a[left][:, None] > b[right]).mean()
        for left, right in zip(ranking.draws("a", [a])[0], ranking.draws("b", [b])[0], strict=True)
    ]
    assert found[0][3:] == pytest.approx(ranking.bounds(np.array(wins)))


def test_an_interval_hangs_on_no_other_model() -> None:
    rng = np.random.default_rng(0)
    scores = matrix({name: list(rng.uniform(size=6)) for name in "abc"}, list("xxxyyy"))
    whole = {entry.model: entry[:8] for entry in ranking.summed_up(scores)}
    assert all(whole[entry.model] == entry[:8] for entry in ranking.summed_up(scores[["c", "a"]]))


def test_models_are_ranked_beside_those_that_ran_the_same_benchmarks() -> None:
    nan = np.nan
    values = {"all": [0.5, 0.5, 0.5], "two": [0.9, 0.9, nan], "also": [0.1, 0.2, nan], "alone": [nan, nan, 0.9]}
    found = ranking.fields(matrix(values, list("xyz")))
    assert {names: list(field.columns) for names, field in found.items()} == {("x", "y"): ["all", "two", "also"]}
    more = ranking.fields(matrix(values | {"whole": [0.7, 0.7, 0.7]}, list("xyz")))
    assert [(names, set(field.columns)) for names, field in more.items()] == [
        (("x", "y"), {"all", "two", "also", "whole"}),
        (("x", "y", "z"), {"all", "whole"}),
    ]


def test_who_beats_whom_takes_ten_seeds() -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(0, 0.1, 10) + shift for name, shift in (("a", 0.8), ("b", 0.5), ("c", 0.2))}
    duels = ranking.duel(matrix(values, ["x"] * 10))
    assert duels.beats.to_numpy().sum() == 3 and duels.p.loc["a", "b"] == pytest.approx(3 * 2 / 184_756)
    np.testing.assert_allclose(duels.excess, -duels.excess.T)
    assert list(duels.excess) == ["a", "b", "c"] and bool((duels.excess.loc["a"].dropna() > 0).all())


@pytest.mark.parametrize(("seeds", "headings"), [(3, ()), (5, ("p",)), (10, ("p", "Beats"))])
def test_a_page_shows_what_so_many_seeds_can_tell(seeds: int, headings: tuple[str, ...], tmp_path: Path) -> None:
    up = np.linspace(0, 0.5, seeds)
    made = report({"a": list(8 + up), "b": list(5 + up), "c": list(2 + up), "oracle": [10.0] * seeds}, "higher")
    fragment = section.render(made, tmp_path)
    assert fragment is not None and fragment.tables[0][1].headings[3:] == headings
    assert ("duels.csv" in fragment.files) == (tmp_path / "duels.csv").exists() == (seeds >= 10)
    last = [row.cells[-1].text for row in fragment.tables[0][1].rows]
    if seeds == 5:
        assert last[0] == "" and last[2] == "0.0079" and 0.0079 <= float(last[1]) < 0.05
    else:
        assert last == (["1 of 1", "0 of 1", "0 of 1"] if seeds == 3 else ["2 of 2", "1 of 2", "0 of 2"])


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
    assert "<h2>Ranking</h2>" in html
    first = next(line for line in text.splitlines() if line.startswith("| `"))
    assert first.startswith("| `c` (told labels) | **0.900 ± 0.000** | **1.00 ± 0.00** | 1 of 1 |")
    assert "Ranked by M; floors: M 0." in text and "nothing is tested" in text
    assert "told labels" in (pages[0] / "table.md").read_text()


def test_the_index_ranks_the_models_that_ran_the_same_benchmarks(pages: list[Path], tmp_path: Path) -> None:
    """`c`, on one of the two, is not among them. Of `b` .7, .8, .9, .9 the middle two are .85 in the mean."""
    made = page.index(pages, tmp_path, {})
    rows = [line for line in made["suite/first_second/ranking.md"].splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["b", "a"]
    assert rows[0].startswith("| `b` | **0.850 (") and "| 0.175 (0.15" in rows[0] and "0.750 ± 0.071" in rows[0]
    assert "| 1.00 (1.00 to 1.00) |" in rows[0]
    for name in ("profile.png", "improvement.png", "improvement.csv", "ranking.csv", "ranking.tex"):
        assert f"suite/first_second/{name}" in made["index.html"] and f"suite/first_second/{name}" in made
    assert made["suite/first_second/improvement.png"][:4] == b"\x89PNG"
    assert "## Ranking over first, second" in made["README.md"] and rows[0] in made["README.md"]
    assert made == page.index(pages, tmp_path, {})


def test_one_benchmark_has_no_suite(pages: list[Path], tmp_path: Path) -> None:
    made = page.index(pages[:1], tmp_path, {})
    assert {name for name in made if not name.startswith("assets/")} == {"index.html", "README.md"}
    assert "Ranking over" not in made["README.md"]


@pytest.mark.parametrize("kind", ["published", "binary"])
def test_benchmarks_of_few_models_stay_out_of_the_suite(pages: list[Path], tmp_path: Path, kind: str) -> None:
    text = (pages[1] / "runs.csv").read_text()
    (pages[1] / "runs.csv").write_text(text.replace(",toys", f",{kind}"))
    assert not any(name.startswith("suite/") for name in page.index(pages, tmp_path, {}))


def test_some_of_the_models_with_more_seeds_do_not_count_twice(pages: list[Path], tmp_path: Path) -> None:
    """`second` has two of the three models of `first`; with a third seed it is taken for a repetition."""
    text = (pages[1] / "runs.csv").read_text()
    more = [line.replace(",1,", ",2,") for line in text.splitlines() if ",1," in line]
    assert any(name.startswith("suite/") for name in page.index(pages, tmp_path, {})) and more
    (pages[1] / "runs.csv").write_text(text + "\n".join(more) + "\n")
    assert not any(name.startswith("suite/") for name in page.index(pages, tmp_path, {}))


def test_a_damaged_record_of_runs_is_named(pages: list[Path]) -> None:
    (pages[0] / "runs.csv").write_text("model,seed\n")
    with pytest.raises(ValueError, match=r"first/runs\.csv is damaged"):
        suite.standing(pages, {})
