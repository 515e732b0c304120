"""Things that bounce: the law against its closed form, films, and what clips are cut from."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import datasets
from benchmarks.datasets.common import bouncing
from benchmarks.metrics.common.matching import light, matched, things


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**settings: int) -> datasets.Splits:
    return datasets.load("bouncing_digits", Path(), {"train": 300, "validation": 200, "test": 200} | settings)


def repeated(n: int, *values: int) -> Tensor:
    return torch.tensor([values]).repeat(n, 1)


def test_a_thing_moves_straight_on_until_it_touches_a_wall() -> None:
    places = bouncing.course(repeated(1, 1, 5), repeated(1, 2, -1), repeated(1, 8, 9), 4, 2, chance())
    assert places[0].tolist() == [[1, 5], [3, 4], [5, 3], [7, 2]]
    cut = bouncing.course(repeated(1, 7, 2), repeated(1, 2, -1), repeated(1, 8, 9), 2, 2, chance())
    assert cut[0].tolist() == [[7, 2], [8, 1]], "a step that leads beyond a wall ends at it"


@pytest.mark.parametrize(
    ("place", "lawful"),
    [
        ((0, 5), [(y, x) for y in (1, 2) for x in range(-2, 3)]),
        ((9, 5), [(y, x) for y in (-2, -1) for x in range(-2, 3)]),
        ((5, 9), [(y, x) for y in range(-2, 3) for x in (-2, -1)]),
        ((0, 9), [(y, x) for y in (1, 2) for x in (-2, -1)]),
        ((5, 5), [(1, -2)]),
    ],
)
def test_velocities_after_a_bounce_are_uniform_on_those_that_the_law_allows(
    place: tuple[int, int], lawful: list[tuple[int, int]]
) -> None:
    n = 20_000
    drawn = bouncing.after(repeated(n, *place), repeated(n, 1, -2), repeated(n, 9, 9), 2, chance())
    counts = torch.tensor([int((drawn == torch.tensor(each)).all(1).sum()) for each in lawful])
    assert counts.sum() == n, "it allows no other"
    share, spread = n / len(lawful), math.sqrt(n * (1 / len(lawful)) * (1 - 1 / len(lawful)))
    assert (counts - share).abs().max() <= 5 * spread


def test_starts_are_uniform_and_nothing_rests() -> None:
    n = 24 * 2_000
    place, velocity = bouncing.start(n, repeated(n, 3, 1), 2, chance())
    counts = torch.bincount(place[:, 0] * 2 + place[:, 1], minlength=8)
    assert len(counts) == 8 and counts.sub(n / 8).abs().max() <= 5 * math.sqrt(n / 8)
    counts = torch.bincount((velocity[:, 0] + 2) * 5 + velocity[:, 1] + 2, minlength=25)
    assert counts[12] == 0 and counts[counts > 0].sub(n / 24).abs().max() <= 5 * math.sqrt(n / 24)
    assert (counts > 0).sum() == 24 and velocity.abs().max() == 2


def test_places_are_distributed_as_the_chain_has_it() -> None:
    """Of a way of 4 places and a speed of 1, after 3 steps. There is no way across, so that a thing touches a wall all
    the time and draws a velocity in every step: the chain's states are places alone."""
    n, reach = 40_000, 3
    place, velocity = repeated(n, 1, 0), repeated(n, 1, 0)
    last = bouncing.course(place, velocity, repeated(n, reach, 0), 4, 1, chance())[:, -1, 0]
    exact = {1: 1.0}
    for _ in range(3):
        following: dict[int, float] = {}
        for at, share in exact.items():
            steps = {0: (1,), reach: (-1,)}.get(at, (-1, 0, 1))
            for step in steps:
                where = min(max(at + step, 0), reach)
                following[where] = following.get(where, 0) + share / len(steps)
        exact = following
    shares = torch.bincount(last, minlength=4) / n
    for at in range(4):
        assert shares[at].item() == pytest.approx(exact.get(at, 0), abs=5 * math.sqrt(0.25 / n))


def test_films_show_things_where_they_are_and_add_up_their_light() -> None:
    thing = torch.tensor([[[9, 0], [3, 9]]], dtype=torch.uint8)
    both = torch.stack([thing[0], thing[0]])[None]  # (1, 2, 2, 2)
    places = torch.tensor([[[[0, 0], [1, 1]], [[0, 0], [2, 0]]]])  # (1, 2, 2, 2)
    clip = bouncing.film(both, places, 4, 17)
    assert clip.shape == (1, 2, 1, 4, 4) and clip.dtype == torch.uint8
    assert clip[0, 0, 0].tolist() == [[16, 0, 0, 0], [6, 16, 0, 0], [0] * 4, [0] * 4]
    assert clip[0, 1, 0].tolist() == [[0] * 4, [0, 9, 0, 0], [9, 3, 9, 0], [3, 9, 0, 0]]


def test_things_are_cut_out_to_their_ink() -> None:
    image = torch.zeros(2, 4, 4, dtype=torch.uint8)
    image[0, 1:3, 2:4] = torch.tensor([[1, 2], [3, 0]])
    image[1] = torch.arange(1, 17).view(4, 4)
    found, extent = bouncing.cropped(image)
    assert extent.tolist() == [[2, 2], [4, 4]]
    assert found[0].tolist() == [[1, 2, 0, 0], [3, 0, 0, 0], [0] * 4, [0] * 4] and torch.equal(found[1], image[1])


def test_matching_is_exact_on_true_clips_and_they_obey_the_law() -> None:
    splits = small()
    x = splits.test.x.float() / 8 - 1
    known = things(x)
    assert torch.equal(matched(light(x), known), known.places)
    step, wall = known.places.diff(dim=1), (known.places == 0) | (known.places == known.reach[:, None])
    assert step.abs().max() == 2
    inside = ~wall.any(2)[:, 1:-1]
    straight = (known.places[:, 1:-1] + step[:, :-1]).clamp_min(0).minimum(known.reach[:, None])
    assert torch.equal(known.places[:, 2:][inside], straight[inside]) and inside.float().mean() > 0.3


def test_no_digit_is_in_two_parts_and_labels_are_theirs() -> None:
    splits = small(train=2000)
    source = datasets.load("digits", Path(), {})
    for clips, images in zip(splits.parts, source.parts, strict=True):
        cut, _ = bouncing.cropped(images.x.squeeze(1))
        digits = {(thing.numpy().tobytes(), label) for thing, label in zip(cut, images.labels.tolist(), strict=True)}
        shown, _ = bouncing.cropped(clips.x[:, 0, 0])
        found = {
            (thing[:8, :8].contiguous().numpy().tobytes(), label)
            for thing, label in zip(shown, clips.labels.tolist(), strict=True)
        }
        assert found <= digits
    assert (splits.classes, splits.levels, splits.seen, splits.speed) == (10, 17, 4, 2)


def test_two_digits_have_the_label_of_their_pair() -> None:
    pairs = torch.tensor([[a, b] for a in range(10) for b in range(10)])
    number = bouncing.pair(pairs, 10)
    assert number.unique().tolist() == list(range(55))
    assert torch.equal(number, bouncing.pair(pairs.flip(1), 10))
    splits = small(count=2)
    assert splits.classes == 55 and splits.speed == 0, "matching one thing says nothing of two"


def test_continuations_begin_as_given_and_go_straight_on_until_a_wall() -> None:
    splits = small(test=400)
    x = splits.test.x
    drawn = bouncing.continued(x[:, :4], 12, 2, 17, chance())
    assert torch.equal(drawn[:, :4], x[:, :4]) and drawn.shape == x.shape and drawn.dtype == x.dtype
    known = things(x.float() / 8 - 1)
    touched = ((known.places == 0) | (known.places == known.reach[:, None])).any(2)[:, 3:-1].cummax(1).values
    same = (drawn == x).flatten(2).all(2)[:, 4:]
    assert same[~touched].all() and not same[touched].all()
    one = bouncing.continued(x[:, :1], 12, 2, 17, chance())
    assert torch.equal(one[:, :1], x[:, :1]), "of one frame the velocity is drawn, too"


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_part_depends_on_the_seed_alone(part: str) -> None:
    first, more, other = (getattr(small(**change), part).x for change in ({}, {"validation": 300}, {"seed": 1}))
    assert torch.equal(first, more) and not torch.equal(first, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": 5}, "speed = 5: things of 8 pixels in a frame of 16 would cross it in one step; choose 4 or less"),
        ({"seen": 12}, "seen = 12: no frame of a clip of 12 would be left to predict; choose 11 or less"),
        ({"frames": 3}, "seen = 4: no frame of a clip of 3 would be left to predict; choose 2 or less"),
        ({"count": 3}, "bouncing_digits: count = 3: input should be 1 or 2"),
    ],
)
def test_settings_that_do_not_fit_are_named_in_one_line(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as error:
        datasets.load("bouncing_digits", Path(), settings)
    assert str(error.value) == message
