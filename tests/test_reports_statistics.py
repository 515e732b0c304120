"""Means, intervals and marks against known answers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports import ranking
from reports.load import OUTCOME, Column, Report, tidy
from reports.statistics import BEST, FEW, TIED, compare, headline, interval, main_part, marks, rule

A, B = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 9.0])


def report(
    scores: dict[str, list[float | None]],
    direction: str | None = "lower",
    diverged: int = 0,
    benchmark: str = "made_up",
) -> Report:
    """A report of one metric, from each model's values; ``diverged`` seeds more of each model have none."""
    rows = [(model, seed, "m", value) for model, values in scores.items() for seed, value in enumerate(values)]
    frame = pd.DataFrame(rows, columns=["model", "seed", "metric", "value"])
    lost = [(model, 90 + k, "diverged", 7, "critic") for model in scores for k in range(diverged)]
    rows = [*((model, seed, "finished", None, None) for model, seed, *_ in rows), *lost]
    seeds = pd.DataFrame(rows, columns=OUTCOME[:5]).assign(**dict.fromkeys(OUTCOME[5:]))
    return Report(
        benchmark=benchmark,
        kind="toys",
        models=tuple(model for model in scores if model != "oracle"),
        columns=(Column("m", "M", direction, 2),),
        protocol=(),
        seeds=seeds,
        scores=frame.dropna(),
        curves=tidy("player"),
        progress=tidy("metric"),
        samples={},
        snapshots={},
    )


def test_the_interval_of_a_mean_is_students() -> None:
    assert interval(A) == pytest.approx(stats.t.interval(0.95, 2, A.mean(), stats.sem(A)))


def test_the_interval_of_a_difference_is_welchs() -> None:
    known = stats.ttest_ind(A, B, equal_var=False).confidence_interval()
    assert interval(A, B) == pytest.approx((known.low, known.high))


def test_many_seeds_are_resampled_always_in_the_same_way() -> None:
    values = np.random.default_rng(1).exponential(size=FEW + 20)
    assert interval(values) == interval(values)
    known = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(2)).confidence_interval
    assert interval(values) == pytest.approx((known.low, known.high), abs=0.03)
    low, high = interval(values, values + 1)
    assert low < -1 < high


def test_one_seed_has_no_interval_and_equal_seeds_have_no_width() -> None:
    assert np.isnan(interval(A[:1])).all()
    assert np.isnan(interval(A, B[:1])).all()
    assert interval(np.array([8.0, 8.0, 8.0])) == (8, 8)
    assert interval(np.array([8.0, 8.0]), np.array([7.0, 7.0])) == (1, 1)


def test_best_tied_and_neither() -> None:
    values = {"close": A, "best": A - 0.5, "far": A + 100}
    assert marks(values, "lower") == {"close": TIED, "best": BEST}
    assert marks(values, "higher") == {"far": BEST}
    assert marks(values, None) == {}


def test_models_that_complete_real_images_are_ranked_only_among_themselves() -> None:
    made = report({"a": [1.0, 2.0], "b": [8.0, 9.0], "completes": [0.0, 0.1], "oracle": [0.0, 0.0]})
    made.seeds.loc[made.seeds.model == "completes", "given"] = "image"
    assert compare(made).set_index("model")["mark"].to_dict() == {"a": BEST, "b": "", "completes": "", "oracle": ""}
    assert set(ranking.compared(made).model) == {"a", "b"}
    assert ranking.runs(made).query("model == 'a' and metric == 'place'").value.tolist() == [1, 1]
    made.seeds.loc[made.seeds.model.isin(["a", "b"]), "given"] = "image"
    assert compare(made).set_index("model")["mark"].to_dict()["completes"] == BEST


def test_the_oracle_is_never_marked_nor_compared_with() -> None:
    assert marks({"oracle": A - 10, "a": A, "b": A + 100}, "lower") == {"a": BEST}


def test_equal_means_are_all_best_and_constants_apart_are_no_tie() -> None:
    eight, seven = np.full(3, 8.0), np.full(3, 7.0)
    assert marks({"a": eight, "b": eight, "c": seven}, "higher") == {"a": BEST, "b": BEST}


def test_without_two_seeds_on_both_sides_nothing_is_tied() -> None:
    assert marks({"a": A[:1], "b": A[:1] + 0.001}, "lower") == {"a": BEST}
    assert marks({"a": A, "b": A[:1] + 9}, "lower") == {"a": BEST}


def test_a_column_that_one_model_has_to_itself_is_not_ranked() -> None:
    assert marks({"a": A, "b": A[:0]}, "lower") == {}


def test_diverged_seeds_are_counted_and_never_averaged() -> None:
    found = compare(report({"a": [1, 2, 4], "b": [None, None, None], "oracle": [0, 0, 0]}, diverged=1)).set_index(
        "model"
    )
    assert found.loc["a", ["mean", "sd"]].tolist() == pytest.approx([A.mean(), A.std(ddof=1)])
    assert found.loc["a", ["n", "seeds", "diverged"]].tolist() == [3, 4, 1]
    assert found.loc["b", "n"] == 0
    assert np.isnan(found.loc["b", "mean"])


def test_models_keep_their_order_and_the_oracle_is_last() -> None:
    assert compare(report({"z": [1], "oracle": [0], "a": [2]})).model.tolist() == ["z", "a", "oracle"]


def test_a_column_nobody_has_stays_out_of_the_main_table() -> None:
    nobody = compare(report({"a": [None], "oracle": [None]}))
    assert main_part(nobody).empty
    assert headline(nobody) == "No column to rank models by"


def test_the_headline_counts_columns() -> None:
    found = compare(report({"a": [1, 2, 4], "b": [100, 101, 103], "oracle": [0, 0, 0]}))
    assert headline(found) == "a: best in 1 of 1 columns"


def test_the_rule_says_how_it_was_decided() -> None:
    assert "Welch" in rule(3) and "3 training seeds" in rule(3)
    assert "bootstrap" in rule(FEW)
    assert "no tie" in rule(1)
