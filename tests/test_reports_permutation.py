"""Permutation tests against splits counted by hand, SciPy's, and what they say of equals."""

import numpy as np
import pytest
from scipy import stats

from reports import permutation
from reports.permutation import SPLITS, against_best, holm, least_p, splits, unpaired_p


def p(ours: list[float], theirs: list[float]) -> float:
    return float(unpaired_p(np.array(ours)[:, None], np.array(theirs)[:, None])[0])


def test_five_against_five_by_hand() -> None:
    """Of the 252 ways to choose five of 1..10, one sums to 15 and one to 40; one more to 16 and one to 39."""
    assert p([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(2 / 252)
    assert p([5, 7, 8, 9, 10], [1, 2, 3, 4, 6]) == pytest.approx(4 / 252)
    assert p([1, 1, 1], [1, 1, 1]) == 1


def test_three_seeds_can_never_tell_models_apart() -> None:
    assert p([1, 2, 3], [7, 8, 9]) == pytest.approx(least_p(3)) == pytest.approx(0.1)
    assert least_p(5) == pytest.approx(2 / 252) and least_p(10) == pytest.approx(2 / 184_756)


@pytest.mark.parametrize("n", [3, 5, 7])
def test_exact_p_is_scipys(n: int) -> None:
    rng = np.random.default_rng(n)
    ours, theirs = rng.normal(0.7, 1, (n, 4)), rng.normal(size=(n + 1, 4))

    def gap(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.abs(a.mean(axis) - b.mean(axis))

    known = stats.permutation_test((ours, theirs), gap, vectorized=True, n_resamples=np.inf, alternative="greater")
    assert unpaired_p(ours, theirs) == pytest.approx(known.pvalue)


def test_many_seeds_are_split_at_random_always_in_the_same_way() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.5, 1, 15), rng.normal(size=15)
    assert len(splits(15, 15)) == SPLITS and (splits(15, 15).sum(1) == 15).all()
    known = stats.permutation_test(
        (ours, theirs), lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=20_000, rng=rng, vectorized=True
    )
    assert p(list(ours), list(theirs)) == pytest.approx(known.pvalue, abs=0.01) == p(list(ours), list(theirs))


def sorted_by_mean(values: np.ndarray) -> np.ndarray:
    return values[np.argsort(-values.mean(1), kind="stable")]


def test_five_seeds_of_28_models_can_be_told_from_the_best() -> None:
    """27 comparisons: Holm's smallest p would be 27 * 2 / 252 = 0.21, and nothing could ever be told."""
    seeds = np.array([-0.04, -0.02, 0.0, 0.02, 0.04])
    values = np.linspace(1, 0.3, 28)[:, None] + seeds * np.array([1, -1] * 14)[:, None]
    found = against_best(values)
    assert (np.diff(found) <= 0).all() and found[0] > 0.05 and (found[3:] < 0.05).all()
    assert found.min() == pytest.approx(2 / 252)  # never below the p of the pair alone


def test_of_shuffles_that_are_all_as_far_apart_the_share_is_one() -> None:
    assert against_best(np.ones((3, 5))).tolist() == [1, 1]


def test_a_noisy_model_is_not_told_from_the_best_however_low_its_mean() -> None:
    """One seed of five collapsed: 126 of the 252 splits put the outlier there, or as far away."""
    values = np.array([[1.0, 0.99, 0.98, 0.97, 0.96], [1.0, 0.99, 0.98, 0.97, 0.02], [0.5, 0.49, 0.48, 0.47, 0.46]])
    collapsed, worse = against_best(values[[0, 1, 2]])
    assert collapsed > 0.5 and worse < 0.05


def test_among_equals_one_in_twenty_families_has_a_loser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation, "SHUFFLES", 399)
    rng = np.random.default_rng(0)
    false = [against_best(sorted_by_mean(rng.standard_t(3, (6, 5)))).min() <= 0.05 for _ in range(600)]
    assert 0.02 < np.mean(false) < 0.07  # 0.05, and less where the pair's own p is above


def test_two_noisy_equals_among_precise_models_are_not_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shuffles of all seeds alone would: the precise ones make the gap between the two look large."""
    monkeypatch.setattr(permutation, "SHUFFLES", 199)
    rng, false = np.random.default_rng(1), 0
    for _ in range(300):
        noisy, precise = rng.normal(size=(2, 5)), rng.normal(0, 0.01, (6, 5))
        values = sorted_by_mean(np.concatenate([noisy, precise]))
        if values[0].std() > 0.1 and values[-1].std() > 0.1:  # the noisy ones are the best and the worst
            false += against_best(values)[-1] <= 0.05
    assert false / 300 < 0.07


def test_holm_by_hand() -> None:
    assert holm(np.array([0.04, 0.01, 0.03, 0.9])).tolist() == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert holm(np.array([0.6, 0.5])).tolist() == [1, 1]
