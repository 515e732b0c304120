"""The judge learns real digits, from its seed alone, and describes images the same in any batch."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from benchmarks.extractors import FEATURES, ChannelJudge, Judge, _shift, accuracy, by_channel, combined, describe, fit
from pipeline.evaluation.view import View

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, ...]:
    """Training images, test images and their labels."""
    bunch = load_digits()
    x = torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 8 - 1
    label = torch.tensor(bunch.target, dtype=torch.int64)
    train, test = train_test_split(torch.arange(len(x)).numpy(), test_size=1 / 3, stratify=label, random_state=0)
    return x[train], x[test], label[train], label[test]


def trained(digits: tuple[Tensor, ...], seed: int, epochs: int = 1) -> Judge:
    judge = Judge(SHAPE, 10)
    fit(judge, digits[0], digits[2], epochs=epochs, batch=64, lr=0.01, seed=seed)
    return judge


def test_digits_are_told_apart(digits: tuple[Tensor, ...]) -> None:
    assert accuracy(trained(digits, seed=0, epochs=12), digits[1], digits[3]) >= 0.97


def test_the_seed_alone_decides(digits: tuple[Tensor, ...]) -> None:
    torch.manual_seed(1)
    first = trained(digits, seed=3)
    second, other = trained(digits, seed=3), trained(digits, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.head.weight, other.head.weight)


def test_fitting_leaves_the_global_generator_alone(digits: tuple[Tensor, ...]) -> None:
    judge, state = Judge(SHAPE, 10), torch.get_rng_state()
    fit(judge, digits[0], digits[2], epochs=1, batch=64, lr=0.01, seed=0)
    assert torch.equal(torch.get_rng_state(), state)


def test_fitting_twice_starts_afresh(digits: tuple[Tensor, ...]) -> None:
    once, twice = trained(digits, seed=0), trained(digits, seed=1)
    fit(twice, digits[0], digits[2], epochs=1, batch=64, lr=0.01, seed=0)
    assert torch.equal(describe(once, digits[1])[0], describe(twice, digits[1])[0])


def test_descriptions_do_not_depend_on_the_batch(digits: tuple[Tensor, ...]) -> None:
    judge, x = trained(digits, seed=0).double(), digits[1].double()
    judge.train()  # left so by a careless caller: normalisation must not see the batch
    features, labels, probabilities = describe(judge, x)
    assert features.shape == (len(x), FEATURES)
    assert not features.requires_grad
    for batch in (1, 7, 100):
        again, same_labels, _ = describe(judge, x[:100], batch)
        torch.testing.assert_close(features[:100], again)
        assert torch.equal(labels[:100], same_labels)
    assert torch.equal(judge(x).argmax(dim=1), labels)
    torch.testing.assert_close(judge(x).softmax(dim=1), probabilities)


@pytest.mark.parametrize("names", [["features"], ["labels"], ["features", "probabilities"], []])
def test_of_what_a_judge_sees_a_benchmark_keeps_what_is_wanted(digits: tuple[Tensor, ...], names: list[str]) -> None:
    view, x = View(Path("none"), None, torch.arange(2)), digits[1]
    view.judge = Judge(SHAPE, 10)
    found, whole = view.of("fake", x, {f"fake_{name}" for name in names}), describe(view.judge, x)
    assert found.keys() == {f"fake_{name}" for name in names}
    assert all(torch.equal(found[f"fake_{name}"], getattr(whole, name)) for name in names)


def stacked(x: Tensor, label: Tensor, n: int = 300) -> tuple[Tensor, Tensor]:
    """Three random digits as the channels of each image, and their labels."""
    drawn = torch.randint(len(x), (n, 3), generator=torch.Generator().manual_seed(0))
    return x.squeeze(1)[drawn], label[drawn]


def test_labels_are_combined_as_the_digits_of_a_number() -> None:
    assert combined(torch.tensor([[1, 2, 3], [0, 0, 7], [9, 9, 9]]), 10).tolist() == [123, 7, 999]
    assert combined(torch.tensor([[1, 0], [2, 3]]), 4).tolist() == [4, 11]


def test_a_judge_of_channels_sees_what_its_judge_sees_in_each(digits: tuple[Tensor, ...]) -> None:
    judge = ChannelJudge((3, 8, 8), 10)
    judge.judge = trained(digits, seed=0).double()
    x, _ = stacked(digits[1].double(), digits[3])
    features, labels, probabilities = describe(judge, x, batch=70)
    for channel in range(3):
        alone = describe(judge.judge, x[:, channel : channel + 1])
        torch.testing.assert_close(features[:, channel * FEATURES : (channel + 1) * FEATURES], alone.features)
        assert torch.equal(labels // 10 ** (2 - channel) % 10, alone.labels)
        others = [axis + 1 for axis in range(3) if axis != channel]
        torch.testing.assert_close(probabilities.view(-1, 10, 10, 10).sum(dim=others), alone.probabilities)


def test_a_combination_costs_what_its_labels_cost(digits: tuple[Tensor, ...]) -> None:
    judge = ChannelJudge((3, 8, 8), 10)
    judge.judge = trained(digits, seed=0).double()
    x, label = stacked(digits[1].double(), digits[3])
    together = F.cross_entropy(judge(x), combined(label, 10))
    assert together.item() == pytest.approx(3 * F.cross_entropy(judge.judge(by_channel(x)), label.flatten()).item())


def test_a_judge_of_channels_learns(digits: tuple[Tensor, ...]) -> None:
    judge = ChannelJudge((3, 8, 8), 10)
    x, label = stacked(digits[0], digits[2], 6000)
    fit(judge, x, combined(label, 10), epochs=1, batch=64, lr=0.01, seed=0)
    assert accuracy(judge.judge, digits[1], digits[3]) >= 0.93


def test_no_feature_is_dead(digits: tuple[Tensor, ...]) -> None:
    features = describe(trained(digits, seed=0), digits[1]).features
    assert (features.std(dim=0) > 1e-3).all()


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 28, 28), (3, 32, 32), (3, 64, 64), (2, 9, 12)])
def test_any_image_size_is_read(shape: tuple[int, ...]) -> None:
    judge = Judge(shape, 3)
    x = torch.rand(2, *shape) * 2 - 1
    assert judge(x).shape == (2, 3)
    assert judge.features(x).shape == (2, FEATURES)


def test_images_are_moved_by_a_pixel_at_most() -> None:
    x = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    assert torch.equal(_shift(x, torch.ones(2, 2, dtype=torch.int64)), x)
    moved = _shift(x, torch.tensor([[2, 1], [1, 0]]))
    assert torch.equal(moved[0, :, :-1], x[0, :, 1:])  # up
    assert torch.equal(moved[1, :, :, 1:], x[1, :, :, :-1])  # to the right
    assert torch.equal(moved[1, :, :, 0], x[1, :, :, 0])  # its border repeated


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [((2,), 10, r"not the shape \(2,\)"), (SHAPE, 0, "2 classes or more, not 0")],
)
def test_a_judge_of_points_or_of_no_classes_is_refused(shape: tuple[int, ...], classes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Judge(shape, classes)


@pytest.mark.parametrize(
    ("x", "label", "batch", "message"),
    [
        (torch.zeros(9, 3, 8, 8), torch.zeros(9).long(), 4, r"images of shape \(1, 8, 8\)"),
        (torch.full((9, 1, 8, 8), 255.0), torch.zeros(9).long(), 4, r"in \[-1, 1\], not in \[255, 255\]"),
        (torch.full((9, 1, 8, 8), torch.nan), torch.zeros(9).long(), 4, r"not in \[nan, nan\]"),
        (torch.zeros(9, 1, 8, 8), torch.full((9,), 10), 4, r"9 labels in 0..9"),
        (torch.zeros(9, 1, 8, 8), torch.zeros(8).long(), 4, "9 images need 9 labels"),
        (torch.zeros(9, 1, 8, 8), torch.zeros(9).long(), 10, "batch 10 is larger than the 9 training images"),
    ],
)
def test_bad_input_is_one_line(x: Tensor, label: Tensor, batch: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(Judge(SHAPE, 10), x, label, epochs=1, batch=batch, lr=0.01, seed=0)
