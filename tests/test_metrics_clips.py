"""Predicted clips: likeness by best and mean of draws, motion by the law, and what a judge of clips sees."""

import math
from pathlib import Path

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from benchmarks import datasets, metrics
from benchmarks.datasets.common import bouncing
from benchmarks.extractors import HEADINGS, Judge, accuracy, describe, fit, heading
from benchmarks.metrics import motion, prediction, shuffled
from benchmarks.metrics.common.matching import Things, light, matched, things
from benchmarks.metrics.common.similarity import ssim, ssim_each
from benchmarks.metrics.frechet import frechet_distance

SEEN, SPEED = 4, 2


@pytest.fixture(scope="module")
def clips() -> tuple[Tensor, Tensor]:
    """True clips as a model sees them, and their labels."""
    test = datasets.load("bouncing_digits", Path(), {"train": 1, "validation": 1, "test": 600}).test
    return test.x.float() / 8 - 1, test.labels


def scores(clips: tuple[Tensor, Tensor], fake: Tensor, draws: Tensor | None = None) -> dict[str, float | None]:
    true, label = clips
    found = {"fake": fake, "true_clips": true, "true_clip_labels": label, "seen": SEEN, "speed": SPEED}
    return metrics.evaluate(["motion"], found | {"continued": true[:50], "continuations": draws})


def copied(true: Tensor) -> Tensor:
    return torch.cat([true[:, :SEEN], true[:, SEEN - 1 : SEEN].expand(-1, true.shape[1] - SEEN, -1, -1, -1)], 1)


def test_best_and_mean_of_draws_by_hand() -> None:
    true = torch.zeros(1, 3, 1, 8, 8)
    draws = torch.stack([true, true])
    draws[0, :, 1:] += torch.tensor([0.2, 0.4])[:, None, None, None]  # a draw too bright
    draws[1, :, 1:] -= torch.tensor([0.2, 0.1])[:, None, None, None]  # and one too dark
    values = prediction.score(continued=true, continuations=draws, seen=1, levels=0)
    first = [10 * math.log10(4 / error**2) for error in (0.2, 0.4)]
    second = [10 * math.log10(4 / error**2) for error in (0.2, 0.1)]
    assert values["psnr_best"] == pytest.approx(max(sum(first), sum(second)) / 2)
    # their mean is right in the first frame, which counts for 100 dB, and .15 too bright in the second
    assert values["psnr_mean"] == pytest.approx((100 + 10 * math.log10(4 / 0.15**2)) / 2)


def test_the_best_draw_is_each_clips_own() -> None:
    true = torch.zeros(2, 2, 1, 8, 8)
    draws = torch.stack([true, true])
    draws[0, 0, 1], draws[1, 0, 1], draws[0, 1, 1], draws[1, 1, 1] = 0.2, 0.02, 0.2, 0.4
    values = prediction.score(continued=true, continuations=draws, seen=1, levels=0)
    assert values["psnr_best"] == pytest.approx(sum(10 * math.log10(4 / each**2) for each in (0.02, 0.2)) / 2)


def test_likeness_is_that_of_scikit_image_frame_by_frame(clips: tuple[Tensor, Tensor]) -> None:
    true = clips[0][:3]
    draws = (true + 0.3 * torch.randn(2, *true.shape)).clamp(-1, 1)
    (_, psnr), (mean, each) = prediction.by_frame(continued=true, draws=draws, seen=SEEN, levels=0)
    assert psnr.shape == each.shape == (2, 3, 8) and mean.shape == (3, 8)
    pair = (true[1, 6].double().numpy(), draws[0, 1, 6].double().numpy())
    assert psnr[0, 1, 2].item() == pytest.approx(peak_signal_noise_ratio(*pair, data_range=2))
    assert each[0, 1, 2].item() == pytest.approx(ssim(true[1:2, 6], draws[0, 1:2, 6]))
    assert mean[1, 2].item() == pytest.approx(ssim(true[1:2, 6], draws.double().mean(0)[1:2, 6]), rel=1e-6)
    a, b = torch.rand(2, 5, 3, 9, 6) * 2 - 1
    assert ssim_each(a, b).mean().item() == pytest.approx(ssim(a, b), rel=1e-9)


def test_a_frame_predicted_exactly_counts_for_what_rounding_would_leave() -> None:
    true = torch.zeros(1, 2, 1, 8, 8)
    values = prediction.score(continued=true, continuations=true[None], seen=1, levels=17)
    assert values["psnr_mean"] == pytest.approx(10 * math.log10(4 / ((2 / 16) ** 2 / 12)))


def test_the_truth_obeys_the_law(clips: tuple[Tensor, Tensor]) -> None:
    values = scores(clips, clips[0])
    assert values["trajectory"] == 0 and values["lawful"] == 1 and values["digit_kept"] == 1
    found = things(clips[0])
    counts = motion.bounces(found.places, found.reach, SEEN, SPEED)
    # KL of n draws from the law: chi squared with K - 1 = 9 degrees of freedom, over 2 n
    assert values["bounce_kl"] * 2 * counts.sum().item() < 9 + 5 * math.sqrt(2 * 9)


def test_the_velocities_of_the_law_have_no_divergence() -> None:
    """One bounce off each wall with every velocity that the law allows."""
    courses = []
    for axis in (0, 1):
        for low in (True, False):
            for away in (1, 2):
                for along in range(-2, 3):
                    at = [0 if low else 8, 4] if axis == 0 else [4, 0 if low else 8]
                    move = [away if low else -away, along] if axis == 0 else [along, away if low else -away]
                    courses.append([at, [at[0] + move[0], at[1] + move[1]]])
    found, reach = torch.tensor(courses), torch.tensor([[8, 8]]).expand(len(courses), 2)
    counts = motion.bounces(found, reach, 1, SPEED)
    assert counts.tolist() == [[4] * 5, [4] * 5]
    assert motion.kl_from_uniform(counts=counts.flatten()) == 0
    assert motion.kl_from_uniform(counts=motion.bounces(found[:1], reach[:1], 1, SPEED).flatten()) == pytest.approx(
        math.log(10)
    )


def test_bounces_near_another_wall_and_unlawful_ones_are_left_out() -> None:
    courses = [[[0, 1], [1, 1]], [[0, 0], [1, 1]], [[0, 4], [0, 4]], [[0, 4], [3, 4]], [[4, 4], [5, 4]]]
    found = torch.tensor(courses)
    assert motion.bounces(found, torch.tensor([[8, 8]]).expand(5, 2), 1, SPEED).sum() == 0


def test_a_bounce_that_no_other_wall_can_cut_short_counts() -> None:
    """Two pixels from the wall above and from the one below, which no step leads beyond."""
    found = torch.tensor([[[2, 0], [0, 1]], [[6, 0], [8, 2]], [[2, 8], [3, 6]]])
    counts = motion.bounces(found, torch.tensor([[8, 8]]).expand(3, 2), 1, SPEED)
    assert counts.tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 1, 1]], "one pixel away, up by two; two, down by one and two"


def test_the_last_frame_again_and_again_is_as_far_off_as_arithmetic_says(clips: tuple[Tensor, Tensor]) -> None:
    true = clips[0]
    values = scores(clips, copied(true))
    places = things(true).places.double()
    off, reach = [], things(true).reach
    for course, far in zip(places, reach, strict=True):
        for time in range(SEEN, len(course)):
            if (course[time - 1] == 0).any() or (course[time - 1] == far).any():
                break
            off.append(math.dist(course[time].tolist(), course[SEEN - 1].tolist()))
    assert values["trajectory"] == pytest.approx(sum(off) / len(off))
    assert values["lawful"] == 0 and values["digit_kept"] == 1
    assert values["bounce_kl"] == pytest.approx(math.log(10)), "nothing bounces"


@pytest.mark.parametrize(
    ("course", "share"),
    [
        ([[4, 4], [5, 5], [6, 6], [7, 7]], 1),  # straight on
        ([[4, 4], [5, 5], [6, 5], [7, 5]], 1 / 2),  # a turn in the open, and straight on
        ([[6, 4], [7, 4], [8, 4], [6, 2]], 1),  # off the wall
        ([[6, 4], [7, 4], [8, 4], [8, 5]], 1 / 2),  # along it
        ([[5, 4], [7, 4], [8, 4], [5, 4]], 1 / 2),  # cut by the wall, and too fast off it
        ([[4, 4], [4, 4], [4, 4], [4, 4]], 0),  # at rest
        ([[1, 1], [4, 1], [7, 1], [8, 1]], 0),  # too fast
    ],
)
def test_steps_are_lawful_or_not(course: list[list[int]], share: float) -> None:
    found, reach = torch.tensor([course]), torch.tensor([[8, 8]])
    assert motion.lawful(found, reach, 1, SPEED) == pytest.approx(share)


def test_other_digits_and_empty_frames_are_not_the_digit_that_was_given(clips: tuple[Tensor, Tensor]) -> None:
    true, label = clips
    other = torch.stack([true[(label != each).nonzero()[0, 0]] for each in label])
    changed = torch.cat([true[:, :SEEN], other[:, SEEN:]], 1)
    empty = torch.cat([true[:, :SEEN], torch.full_like(true[:, SEEN:], -1)], 1)
    faint = torch.cat([true[:, :SEEN], 0.4 * (true[:, SEEN:] + 1) - 1], 1)
    assert scores(clips, changed)["digit_kept"] < 0.1
    assert scores(clips, empty)["digit_kept"] == 0
    assert scores(clips, faint)["digit_kept"] == 0, "less than half of its light: nothing explains it better"


def test_draws_spread_after_a_bounce_as_far_as_they_are_apart() -> None:
    known = Things(torch.ones(1, 1, 1), torch.tensor([[[0, 0], [0, 0], [1, 1]]]), torch.tensor([[7, 7]]))
    draws = torch.full((3, 1, 3, 1, 8, 8), -1.0)
    for draw, ((y, x), (v, u)) in enumerate([((1, 1), (2, 2)), ((1, 1), (2, 5)), ((1, 1), (6, 2))]):
        draws[draw, 0, :, 0, 0, 0] = -1
        draws[draw, 0, 0, 0, 0, 0] = draws[draw, 0, 1, 0, y, x] = draws[draw, 0, 2, 0, v, u] = 1.0
    # places of frame 1 are one; of frame 2 (2, 2), (2, 5), (6, 2): 3, 4 and 5 apart
    assert motion.spread(draws, known, 1) == pytest.approx((0 + 4) / 2)
    assert motion.spread(draws[:1], known, 1) is None


def test_the_laws_own_draws_spread_and_copies_do_not(clips: tuple[Tensor, Tensor]) -> None:
    true = clips[0]
    stored = ((true[:50, :SEEN] + 1) * 8).round().to(torch.uint8)
    drawn = [bouncing.continued(stored, 12, SPEED, 17, torch.Generator().manual_seed(seed)) for seed in range(5)]
    values = scores(clips, true, torch.stack(drawn) / 8 - 1)
    assert values["spread"] > 2
    assert scores(clips, true, copied(true[:50]).expand(5, -1, -1, -1, -1, -1))["spread"] == 0


def test_without_given_frames_or_a_law_there_is_nothing_to_say(clips: tuple[Tensor, Tensor]) -> None:
    for missing in ({"true_clips": None}, {"seen": 0}, {"speed": 0}):
        found = {
            "fake": clips[0],
            "true_clips": clips[0],
            "true_clip_labels": clips[1],
            "seen": 4,
            "speed": 2,
        } | missing
        assert set(metrics.evaluate(["motion"], found).values()) == {None}


def test_bad_evidence_is_one_line(clips: tuple[Tensor, Tensor]) -> None:
    true = clips[0]
    with pytest.raises(ValueError, match="pixels of clips are NaN"):
        scores(clips, true.clone().fill_(math.nan))
    with pytest.raises(ValueError, match="give clips of one shape"):
        scores(clips, true[:5])
    with pytest.raises(ValueError, match="seen = 12 do not fit clips"):
        prediction.score(continued=true, continuations=true[None], seen=12, levels=17)
    with pytest.raises(ValueError, match="predicted as NaN"):
        prediction.score(continued=true[:1], continuations=true[None, :1] * math.nan, seen=4, levels=17)
    _, reasons = metrics.evaluated(
        ["motion"], {"fake": true.expand(-1, -1, 3, -1, -1), "true_clips": true.expand(-1, -1, 3, -1, -1)}
        | {"true_clip_labels": clips[1], "seen": 4, "speed": 2},
    )  # fmt: skip
    assert set(reasons.values()) == {"clips have 3 channels: give grey ones"}


def test_matching_finds_a_thing_in_noise(clips: tuple[Tensor, Tensor]) -> None:
    true = clips[0][:100]
    known = things(true)
    noisy = light(true) + 0.05 * torch.randn(light(true).shape)
    assert torch.equal(matched(noisy, known), known.places)


def test_headings_are_where_light_goes_in_the_last_step() -> None:
    clip = torch.zeros(6, 3, 1, 8, 8, dtype=torch.uint8)
    for row, (dy, dx) in enumerate([(-1, -2), (-1, 2), (2, -1), (1, 1), (0, 0), (0, 1)]):
        clip[row, 0, 0, 0, 0] = clip[row, 1, 0, 4, 4] = clip[row, 2, 0, 4 + dy, 4 + dx] = 9
    assert heading(clip).tolist() == [0, 1, 2, 3, 0, 1]


def test_a_judge_of_clips_sees_their_order() -> None:
    """A quick one, of squares in small frames: shuffled clips are farther from real ones than other real ones are, also
    where the first frames stay."""
    n, frames, side, rng = 3000, 6, 8, torch.Generator().manual_seed(0)
    reach = torch.full((n, 2), side - 3)
    places = bouncing.course(*bouncing.start(n, reach, 1, rng), reach, frames, 1, rng)
    squares = torch.full((n, 1, 3, 3), 16, dtype=torch.uint8)
    x = bouncing.film(squares, places[:, None], side, 17) / 8 - 1
    train, real, other = x.split([2000, 500, 500])
    judge = Judge((frames, 1, side, side), HEADINGS)
    fit(judge, train, heading(train), epochs=3, batch=50, lr=0.01, seed=0)
    assert accuracy(judge, real, heading(real)) > 0.9
    order = torch.rand(500, frames).argsort(1)
    late = torch.cat([torch.arange(2).expand(500, 2), 2 + torch.rand(500, frames - 2).argsort(1)], 1)
    of = {name: describe(judge, clip).features for name, clip in {"real": real, "other": other}.items()}
    same = frechet_distance(real=of["real"], fake=of["other"])
    for places in (order, late):
        features = describe(judge, other[torch.arange(500)[:, None], places]).features
        assert shuffled.score(real_features=of["real"], shuffled_features=features)["fjd_shuffled"] > 2 * same
