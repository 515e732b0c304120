"""What k of n trials would have found, against hand-worked examples and against every way to draw them."""

from itertools import combinations
from math import inf
from pathlib import Path

import pytest

from reports import search, searched
from reports.trials import beats, chosen, expected, ranked, ways


def test_expected_best_of_k_by_hand() -> None:
    """Of 1, 3 and 8 the pairs are (1, 3), (1, 8) and (3, 8), whose best are 1, 1 and 3."""
    found = [3.0, 8.0, 1.0]
    assert expected(found, 1) == pytest.approx(4.0)
    assert expected(found, 2) == pytest.approx(5 / 3)
    assert expected(found, 3) == 1.0
    assert ways(3, 2) == [2, 1, 0]


def test_who_beats_whom_turns_with_k_by_hand() -> None:
    """A has 1 and 4, B has 2 and 3. One trial: A's 1 beats both, its 4 none. Two: 1 beats 2."""
    assert beats([1.0, 4.0], [3.0, 2.0], 1) == pytest.approx(0.5)
    assert beats([1.0, 4.0], [3.0, 2.0], 2) == 1.0
    assert beats([1.0, 1.0], [1.0, 2.0], 1) == pytest.approx(0.75)  # a tie is half


def test_diverged_trials_are_worse_than_any() -> None:
    assert expected([1.0, inf, inf], 2) == inf and expected([1.0, inf, 2.0], 2) == pytest.approx(4 / 3)
    assert beats([5.0, inf], [6.0, 6.0], 1) == 0.5 and beats([inf], [inf], 1) == 0.5


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_closed_forms_are_the_means_over_all_ways_to_draw(k: int) -> None:
    one, other = [2.0, 7.0, 1.0, inf, 4.0], [3.0, 1.0, 6.0, 5.0, 5.0]
    ours, theirs = ([min(drawn) for drawn in combinations(found, k)] for found in (one, other))
    pairs = [(a, b) for a in ours for b in theirs]
    assert beats(one, other, k) == pytest.approx(sum((a < b) + 0.5 * (a == b) for a, b in pairs) / len(pairs))
    assert beats(one, other, k) + beats(other, one, k) == pytest.approx(1.0)
    assert expected(other, k) == pytest.approx(sum(theirs) / len(theirs))


def trial(number: int, value: float | None, of: str = "drawn") -> dict:
    told = {"trial": number, "of": of, "settings": {"lr": 0.1 * (1 + number)}, "seed": number, "value": value}
    return {**told, "values": {"ring": value}, "seconds": 30.0, "diverged": value is None}


def test_the_first_of_equals_is_the_best() -> None:
    tried = [trial(0, 2.0), trial(1, 1.0), trial(2, 1.0), trial(3, None)]
    assert [each["trial"] for each in ranked(tried)] == [1, 2, 0]
    assert chosen({"trials": tried, "finals": []})["trial"] == 1
    assert chosen({"trials": tried[3:], "finals": []}) is None


def test_a_final_decides_whatever_the_trials_said() -> None:
    tried = [trial(0, 2.0, "paper"), trial(1, 1.0)]
    assert chosen({"trials": tried, "finals": [final(1, 5.0, None), final(0, 4.0, 4.0)]})["trial"] == 0
    assert chosen({"trials": tried, "finals": [final(1, None, None), final(0, None, None)]}) is None


def final(number: int, *runs: float | None, of: str = "drawn") -> dict:
    """A finalist, whose runs have these values; together their mean."""
    told = {key: value for key, value in trial(number, None, of).items() if key in ("trial", "of", "settings")}
    seeds = [{**trial(seed, value), "seed": 20_000 + seed} for seed, value in enumerate(runs)]
    mean = None if None in runs else sum(runs) / len(runs)
    return {**told, "value": mean, "diverged": None in runs, "seeds": seeds}


def some_record(distance: bool = True) -> dict:
    def of(*values: float | None) -> dict:
        origins = ("paper", "house", "drawn", "drawn")
        tried = [trial(place, value, origin) for place, (value, origin) in enumerate(zip(values, origins, strict=True))]
        return {"model": "gan", "ranges": {"lr": [0.01, 1]}, "paper": {"lr": 0.1}, "house": {"lr": 0.2}} | {
            "trials": tried,
            "finals": [],
        }

    contestants = {"steady": of(3.0, 2.0, 2.5, 2.2), "lucky": of(9.0, None, 1.0, 8.0)}
    contestants |= {"lost": of(None, None, None, None)}
    contestants["steady"]["finals"] = [final(1, 1.0, 2.0, of="house"), final(3, 0.5, 0.7)]
    by = {"column": "w1", "label": "W1", "decimals": 2, "distance": distance}
    rule = {"kind": "toys", "benchmarks": ["ring"], "by": by, "trials": 4, "shorter": 3, "finals": 2}
    return {**rule, "not_searched": {"parzen": "why"}, "notes": {"lost": "a reason"}, "contestants": contestants}


def test_a_page_shows_every_trial_the_gain_and_whose_order_turns(tmp_path: Path) -> None:
    search.write(some_record(), tmp_path, "../index.html", {})
    table = (tmp_path / "search.md").read_text()
    # Of 9, 1 and 8 two pairs have 1 as their best and one 8: 10/3; the settings of before are left out.
    lucky = "| `lucky` | 9.00 | diverged | **1.00** | 8.00 | 3.33 | 1 of 4 | n/a | n/a | n/a | n/a | 2.0 | lr 0.3 |"
    assert lucky in table
    # 1.5 on average against .6: the fourth trial, third of all, is found, and a gain of 60 %.
    steady = "| `steady` | 3.00 | 2.00 | 2.00 | 2.20 | 2.30 | 0 of 4 | 1.50 | **0.60** | 60 % | 1 | 4.0 | lr 0.4 |"
    assert steady in table
    assert (
        "| `lost` | diverged | diverged | diverged | diverged | diverged | 4 of 4 | n/a | n/a | n/a | n/a | 2.0 | n/a |"
        in table
    )
    assert "lost: a reason." in table and "Not searched: parzen (why)." in table
    page = (tmp_path / "index.html").read_text()
    assert "1 of 3 end with the highest lr that was tried of them" in table and "0.1 hours of one core" in page
    assert "lucky before steady" in page  # a third of single trials, all of whole searches
    duels = (tmp_path / "duels.csv").read_text().splitlines()
    assert "lucky,steady,1,0.3333333333333333" in duels and "lucky,steady,3,1.0" in duels
    assert (tmp_path / "trials.csv").read_text().count("\n") == 13
    runs = (tmp_path / "finals.csv").read_text().splitlines()
    assert len(runs) == 5 and runs[4].startswith("steady,3,drawn,20001,0.7,")


def test_ranks_in_the_final_are_by_the_settings_of_before_and_by_those_found(tmp_path: Path) -> None:
    """Before: steady 1.5, lucky 1.2, lost diverged; found: .6, 1.2, .7."""
    record = some_record()
    record["contestants"]["lucky"]["finals"] = [final(2, 3.0, 5.0), final(0, 1.2, 1.2, of="paper")]
    record["contestants"]["lost"]["finals"] = [final(2, 0.8, 0.6), final(1, None, 1.0, of="house")]
    assert searched.ranks(searched.contestants(record)) == {"lucky": (1, 3), "steady": (2, 1), "lost": (3, 2)}
    search.write(record, tmp_path, "../index.html", {})
    assert "| 2 to 1 | 4.0 | lr 0.4 |" in (tmp_path / "search.md").read_text()


def test_nats_are_gained_in_nats(tmp_path: Path) -> None:
    search.write(some_record(distance=False), tmp_path, "../index.html", {})
    assert "| 1.50 | **0.60** | 0.90 nats |" in (tmp_path / "search.md").read_text()


def test_a_record_without_contestants_has_a_page(tmp_path: Path) -> None:
    search.write(some_record() | {"contestants": {}}, tmp_path, "../index.html", {})
    assert "No contestant has been searched yet." in (tmp_path / "index.html").read_text()
