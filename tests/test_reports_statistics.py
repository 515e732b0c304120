"""Means, intervals and marks against known answers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports import ranking
from reports.load import OUTCOME, Column, Report, tidy
from reports.statistics import (
    BEST,
    FEW,
    TIED,
    compare,
    dunnett_p,
    headline,
    interval,
    main_part,
    marks,
    plan,
    rule,
    scale,
)

LOWER, HIGHER, NEITHER = (Column("m", "M", way, 2) for way in ("lower", "higher", None))
A, B = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 9.0])


def report(
    scores: dict[str, list[float | None]],
    direction: str | None = "lower",
    diverged: int = 0,
    benchmark: str = "made_up",
    floor: float | None = None,
) -> Report:
    """A report of one metric, from each model's values; ``diverged`` seeds more of each model have none.

    The metric is ranked from ``floor`` on; 0 where more is better.
    """
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
        ranked=("m",),
        floors={"m": floor} if floor is not None else {"m": 0.0} if direction == "higher" else {},
    )


def test_the_interval_of_a_mean_is_students() -> None:
    assert interval(A) == pytest.approx(stats.t.interval(0.95, 2, A.mean(), stats.sem(A)))


def test_many_seeds_are_resampled_always_in_the_same_way() -> None:
    values = np.random.default_rng(1).exponential(size=FEW + 20)
    assert interval(values) == interval(values)
    known = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(2)).confidence_interval
    assert interval(values) == pytest.approx((known.low, known.high), abs=0.03)


def test_one_seed_has_no_interval_and_equal_seeds_have_no_width() -> None:
    assert np.isnan(interval(A[:1])).all()
    assert interval(np.array([8.0, 8.0, 8.0])) == (8, 8)


def test_the_number_of_seeds_decides_what_is_tested() -> None:
    assert [plan(seeds) for seeds in (1, 3, 4)] == [(False, False)] * 3
    assert plan(5) == plan(9) == (True, False) and plan(10) == (True, True)
    # Holm's correction of all pairs can reach 2 / C(20, 10) = 1.08e-5 times the pairs: 0.05 up to 96 models
    assert plan(10, 96).pairs and not plan(10, 97).pairs


def test_few_seeds_are_tied_where_means_are_near_and_seeds_overlap() -> None:
    """Lower is better, floor 100: a tenth of the way from 1 to 100 on a log scale ends at 100 ** 0.1 = 1.585."""
    values = {
        "best": np.array([0.9, 1.0, 1.1]),
        "near": np.array([1.05, 1.5, 1.8]),  # mean 1.45, its best below the best model's worst
        "apart": np.array([1.2, 1.3, 1.4]),  # near, but every seed is worse than all of the best
        "far": np.array([0.95, 1.9, 2.0]),  # overlaps, but its mean of 1.617 is too far
    }
    assert marks(values, LOWER, 100.0) == {"best": BEST, "near": TIED}
    assert marks(values, LOWER) == {"best": BEST}  # without a floor within a tenth of the best itself: up to 1.1
    assert marks(values | {"near": values["best"] + 0.05}, LOWER) == {"best": BEST, "near": TIED}
    assert marks(values, NEITHER) == {}


def test_near_is_measured_on_the_columns_scale() -> None:
    """A share's tenth of the way from 0.9 to 0 in arcsines of roots: sin(0.9 * asin(sqrt 0.9)) ** 2 = 0.8134."""
    best, spread = np.array([0.9, 0.9, 0.9]), np.array([-0.1, 0.0, 0.1])
    values = {"best": best, "in": 0.8150 + spread, "out": 0.8120 + spread}
    assert marks(values, HIGHER, 0.0) == {"best": BEST, "in": TIED}
    assert marks({model: 8 * each for model, each in values.items()}, HIGHER, 0.0) == {"best": BEST, "in": TIED} | {
        "out": TIED  # no shares: down to 0.81 of 8
    }


def test_the_scale_hangs_on_direction_and_range() -> None:
    share, count = np.array([0.0, 0.25, 1.0]), np.array([1.0, 4.0])
    assert scale(LOWER, [count])(count).tolist() == np.log(count).tolist()
    assert scale(LOWER, [share])(share) is share and scale(HIGHER, [count])(count) is count
    assert scale(LOWER, [count], 0.0)(count) is count
    assert scale(HIGHER, [share])(share) == pytest.approx([0, np.pi / 6, np.pi / 2])


def test_many_seeds_are_tied_where_hsus_comparison_does_not_tell_them_apart() -> None:
    """Two models a tenth of a standard deviation apart are tied, one ten of them away is not, near as it may be."""
    z = np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    values = {"best": 100 + 0.1 * z, "near": 99.99 + 0.1 * z, "told": 99 + 0.1 * z[::-1]}
    assert marks(values, HIGHER, 0.0) == {"best": BEST, "near": TIED}
    assert marks({"best": values["best"], "near": 80 + 40 * z}, HIGHER, 0.0) == {"best": BEST}  # not told, but too far


@pytest.mark.parametrize("others", [1, 3, 8])
def test_the_comparison_with_the_best_is_scipys_dunnett(others: int) -> None:
    rng = np.random.default_rng(others)
    control, sides = rng.normal(0.8, 1, 5), [rng.normal(size=5 + k % 2) for k in range(others)]
    known = stats.dunnett(*sides, control=control, alternative="less", rng=np.random.default_rng(0))
    assert dunnett_p(control, sides) == pytest.approx(known.pvalue, abs=5e-4)


def test_one_rival_makes_it_students_test_and_no_spread_decides_by_itself() -> None:
    known = stats.ttest_ind(A, B, alternative="less").pvalue
    assert dunnett_p(B, [A]) == pytest.approx([known], abs=1e-4)
    assert dunnett_p(np.full(5, 2.0), [np.full(5, 1.0), np.full(5, 2.0)]).tolist() == [0, 1]


def test_a_model_that_leads_by_one_lucky_seed_is_not_the_best() -> None:
    """Precision on stacked digits: of the worst seeds .00, .16, .21, .24 the median is .185."""
    values = {
        "collapsed": np.array([0.91, 0.0, 0.0]),
        "a": np.array([0.16, 0.20, 0.22]),
        "b": np.array([0.21, 0.22, 0.23]),
        "c": np.array([0.24, 0.27, 0.29]),
    }
    assert marks(values, HIGHER, 0.0) == {"c": BEST}


def test_a_mean_of_fewer_seeds_than_there_are_says_so_and_gets_no_mark() -> None:
    found = compare(report({"a": [9, None, 9], "b": [7, 7, 7], "c": [6, 6, 6], "oracle": [9, 9, 9]}, "higher"))
    found = found.set_index("model")
    assert found["mark"].to_dict() == {"a": "", "b": BEST, "c": "", "oracle": ""}
    assert found.loc["a", ["n", "seeds", "each"]].tolist() == [2, 3, "9 9"]


def test_models_that_complete_real_images_are_ranked_only_among_themselves() -> None:
    made = report({"a": [1.0, 2.0], "b": [8.0, 9.0], "completes": [0.0, 0.1], "oracle": [0.0, 0.0]}, floor=20)
    made.seeds.loc[made.seeds.model == "completes", "given"] = "image"
    assert compare(made).set_index("model")["mark"].to_dict() == {"a": BEST, "b": "", "completes": "", "oracle": ""}
    assert set(ranking.compared(made).model) == {"a", "b"}
    assert ranking.runs(made).query("model == 'a' and metric == 'place'").value.tolist() == [1, 1]
    made.seeds.loc[made.seeds.model.isin(["a", "b"]), "given"] = "image"
    assert compare(made).set_index("model")["mark"].to_dict()["completes"] == BEST


def test_the_oracle_is_never_marked_nor_compared_with() -> None:
    assert marks({"oracle": A - 10, "a": A, "b": A + 100}, LOWER) == {"a": BEST}


def test_equal_means_are_all_best_and_constants_apart_are_no_tie() -> None:
    eight, seven = np.full(3, 8.0), np.full(3, 7.0)
    assert marks({"a": eight, "b": eight, "c": seven}, HIGHER) == {"a": BEST, "b": BEST}


def test_without_two_seeds_on_both_sides_nothing_is_tied() -> None:
    assert marks({"a": A[:1], "b": A[:1] + 0.001}, LOWER) == {"a": BEST}
    assert marks({"a": A, "b": A[:1] + 9}, LOWER) == {"a": BEST}


def test_a_column_that_one_model_has_to_itself_is_not_ranked() -> None:
    assert marks({"a": A, "b": A[:0]}, LOWER) == {}


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
    assert "3 training seeds" in rule(3) and "nothing is tested" in rule(3) and "Hsu" not in rule(3)
    assert "Hsu" in rule(5) and "5 %" in rule(5) and "nothing is tested" not in rule(5)
    assert "no tie" in rule(1)
