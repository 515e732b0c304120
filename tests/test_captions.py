"""Digits made for captions: what is measured of strokes, what captions mean, and whether samples obey them."""

import math
from pathlib import Path

import pytest
import torch
from made import levels
from torch import Generator, Tensor

import models
from benchmarks import datasets
from benchmarks.datasets.common import strokes
from benchmarks.datasets.common.captions import VOCABULARY, caption, meanings, tokens
from benchmarks.metrics import obedience
from models.common.captions import Words
from models.common.protocol import Batch, Spec

SPEC = Spec((1, 8, 8), classes=10, levels=17, words=len(VOCABULARY))
WORDS = tokens("a thin seven leaning left").unsqueeze(0)


def bar(width: int, lean: int = 0, side: int = 40) -> Tensor:
    """A white bar of 20 rows, each `lean` pixels left of the one above it: (1, 1, side, side)"""
    x = -torch.ones(1, 1, side, side)
    for row in range(20):
        start = 15 + lean * (10 - row) // 2
        x[:, :, 10 + row, start : start + width] = 1
    return x


@pytest.mark.parametrize("wide", [1, 2, 5])
def test_a_bars_width_is_twice_its_area_over_its_outline(wide: int) -> None:
    """Where its right and its lower edge meet, one pixel has both gradients: sqrt(2) in place of 2."""
    outline = 2 * 20 + 2 * wide - (2 - math.sqrt(2))
    assert strokes.width(bar(wide)).item() == pytest.approx(2 * 20 * wide / outline)


def test_slant_is_a_shear() -> None:
    upright, right, left = (strokes.slant(bar(3, lean)).item() for lean in (0, 2, -2))
    assert upright == pytest.approx(0, abs=1e-12) and right == pytest.approx(1) and left == pytest.approx(-1)


def test_an_empty_image_has_neither() -> None:
    empty = -torch.ones(2, 1, 8, 8)
    assert strokes.width(empty).tolist() == strokes.slant(empty).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"one channel, not of shape \(3, 8, 8\)"):
        strokes.width(torch.zeros(2, 3, 8, 8))


def test_captions_are_words_and_mean_what_they_say() -> None:
    every = [(digit, width, slant) for digit in range(10) for width in range(3) for slant in range(3)]
    coded = torch.stack([tokens(caption(*each)) for each in every])
    assert meanings(coded).tolist() == [list(each) for each in every] and len(coded.unique(dim=0)) == 90
    assert caption(7, 0, 0) == "a thin seven leaning left" and tokens("a seven").tolist()[2:] == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a thin sevn leaning left", "unknown word 'sevn': did you mean 'seven'?"),
        ("a blue seven", "unknown word 'blue': known: a, thin, medium"),
        ("a thin seven leaning left left", "6 words; give 1 to 5"),
        ("", "0 words; give 1 to 5"),
    ],
)
def test_an_unknown_word_is_named_with_what_fits(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        tokens(text)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_captions_say_thirds_of_each_digit_and_some_are_for_tests_alone() -> None:
    splits = datasets.load("digits_words", Path(), {})
    x, label, words = (torch.cat([getattr(part, name) for part in splits.parts]) for name in ("x", "label", "caption"))
    assert len(x) == 1797 and torch.equal(meanings(words)[:, 0], label)
    seen = x.float() / 8 - 1
    for column, measure in ((1, strokes.width), (2, strokes.slant)):
        values, third = measure(seen), meanings(words)[:, column]
        for digit in range(10):
            low, middle, high = (values[(label == digit) & (third == place)] for place in range(3))
            assert low.max() < middle.min() and middle.max() < high.min()
            assert max(map(len, (low, middle, high))) - min(map(len, (low, middle, high))) <= 2
    known = {tuple(row) for part in splits.parts[:2] for row in part.caption.tolist()}
    new = {tuple(row) for row in splits.test.caption.tolist()} - known
    assert len(new) == 10 and {row[2] for row in new} == set(range(5, 15)), "one of each digit"


def evidence(splits: datasets.Splits) -> dict[str, Tensor]:
    as_seen = [part.x.float() / 8 - 1 for part in (splits.train, splits.test)]
    asked = meanings(splits.test.caption)
    return {
        "train": as_seen[0],
        "taught": meanings(splits.train.caption),
        "fake": as_seen[1],
        "fake_labels": asked[:, 0],
        "asked": asked,
    }


def test_real_images_obey_their_captions_and_others_as_often_as_chance() -> None:
    found = evidence(datasets.load("digits_words", Path(), {}))
    values = obedience.score(**found)
    assert values["obeyed_digit"] == values["new_digit"] == 1
    assert values["obeyed_all"] > 0.9, "thirds are told from training images alone"
    lot = torch.randperm(len(found["asked"]), generator=Generator().manual_seed(0))
    others = obedience.score(**found | {"fake": found["fake"][lot], "fake_labels": found["fake_labels"][lot]})
    assert others["obeyed_digit"] == pytest.approx(0.1, abs=0.04)
    assert others["obeyed_width"] == pytest.approx(1 / 3, abs=0.08)
    seen = obedience.score(
        **{key: value[:400] if key in ("fake", "fake_labels", "asked") else value for key, value in found.items()}
    )
    assert seen["new_all"] is None, "none of the first is new"


def test_bounds_lie_midway_between_neighbours() -> None:
    values, third = torch.tensor([1.0, 2.0, 4.0, 5.0, 9.0]), torch.tensor([0, 0, 1, 1, 2])
    bounds = obedience.between(values, torch.full((5,), 1), third)
    assert bounds[0].isnan().all() and bounds[1].tolist() == [3, 7]


def test_a_caption_is_read_word_by_word_and_what_fills_it_up_is_not() -> None:
    words = Words(len(VOCABULARY))
    assert torch.equal(words(WORDS), words(torch.cat([WORDS, torch.zeros(1, 3, dtype=torch.long)], 1)))
    assert not torch.equal(words(WORDS), words(WORDS.flip(1))), "order counts"


def test_the_critic_is_shown_right_captions_and_wrong_ones() -> None:
    """Reed et al.: log s(right) + (log(1 - s(wrong)) + log(1 - s(fake))) / 2, by hand from the critic's own scores."""
    model = models.build("caption_gan", SPEC, {"width": 8})
    shown: list[Tensor] = []
    model.critic["net"].register_forward_hook(
        lambda net, told, out: shown.append(torch.cat([told[0].mean((2, 3)), out[:, None]], 1))
    )
    x = levels(6, 0, top=17).float() / 8 - 1
    captions = torch.stack([tokens(caption(digit, 0, 0)) for digit in (0, 1, 1, 2, 3, 4)])
    loss = model.critic_move(Batch(x, caption=captions))["critic"]
    rows = shown[0]
    right, wrong, fake = rows[:, -1].view(3, 6)
    wrong = wrong[[0, 1, 3, 4, 5]]  # the third image's caption is that of the second: it fits
    by_hand = (-right).exp().log1p().mean() + (wrong.exp().log1p().mean() + fake.exp().log1p().mean()) / 2
    assert loss.item() == pytest.approx(by_hand.item(), abs=1e-6)
    alike = model.critic_move(Batch(x, caption=captions[:1].repeat(6, 1)))["critic"]
    assert alike.isfinite(), "a batch may hold no other caption"
    codes = rows[:, 1:-1].view(3, 6, -1)
    assert torch.equal(codes[0], codes[2]) and torch.equal(codes[1], codes[0].roll(1, 0))


def some_digits() -> Batch:
    captions = torch.stack([tokens(caption(digit, 0, 2)) for digit in range(6)])
    return Batch(levels(6, 0, top=17).float() / 8 - 1, caption=captions)


def test_the_generator_is_also_judged_by_captions_between_captions() -> None:
    """Reed et al., equation 5: both players see the mean of two codes of their own."""
    model, batch = models.build("caption_gan", SPEC, {"width": 8, "interpolation": 0.7}), some_digits()
    told, judged, scores = [], [], []
    model.generator["net"].register_forward_pre_hook(lambda _, args: told.append(args[0][:, model.latent :]))
    model.critic["net"].register_forward_pre_hook(lambda _, args: judged.append(args[0][:, 1:, 0, 0]))
    model.critic["net"].register_forward_hook(lambda _, args, out: scores.append(out))
    loss = model.generator_move(batch)["generator"]
    for seen, words in ((told, model.generator["words"]), (judged, model.critic["words"])):
        code = words(batch.caption)
        assert torch.allclose(seen[0], code) and torch.allclose(seen[1], (code + code.roll(1, 0)) / 2)
    own, between = ((-score).exp().log1p().mean() for score in scores)
    assert loss.item() == pytest.approx((own + 0.7 * between).item())


def test_the_bound_of_a_captioned_vae_weighs_its_rate() -> None:
    model, batch = models.build("caption_vae", SPEC, {"width": 8, "latent": 3, "beta": 4.0}), some_digits()
    coded, decoded = [], []
    model.encoder.register_forward_hook(lambda _, args, out: coded.append((args[0], out)))
    model.decoder.register_forward_hook(lambda _, args, out: decoded.append((args[0], out)))
    loss, told = model.bound_move(batch)["model"], model.words(batch.caption)
    (seen, laws), (code, out) = coded[0], decoded[0]
    assert torch.equal(seen[:, :1], batch.x) and torch.allclose(seen[:, 1:, 4, 4], told)
    assert torch.allclose(code[:, 3:], told)
    mean, log_variance = laws.chunk(2, 1)
    q, prior = torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    rate = torch.distributions.kl_divergence(q, prior).sum(1).mean()
    distortion = -model.likelihood.log_prob(batch.x, out).mean()
    assert loss.item() == pytest.approx((distortion + 4 * rate).item())


@pytest.mark.parametrize("name", ["caption_gan", "caption_vae"])
def test_bad_input_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"needs captions, the data of shape \(1, 8, 8\) have none"):
        models.build(name, SPEC._replace(words=0), {})
    model = models.build(name, SPEC, {"width": 8}).eval()
    with pytest.raises(ValueError, match=f"3 samples of {name} need 3 captions, given are 1"):
        model.sample(3, WORDS, Generator().manual_seed(0))
