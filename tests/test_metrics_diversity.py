"""Vendi score and similarity of pairs, where they are known."""

import math

import pytest
import torch
from torch import Tensor

from benchmarks.metrics import diversity
from benchmarks.metrics.diversity import gaussian_vendi, pair_ssim, vendi


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_samples_unlike_one_another_count_each() -> None:
    assert vendi(kernel=torch.eye(30, dtype=torch.float64)) == pytest.approx(30)


def test_equal_samples_count_once() -> None:
    assert vendi(kernel=torch.ones(30, 30, dtype=torch.float64)) == pytest.approx(1)


def test_unequal_groups_count_as_the_entropy_of_their_shares() -> None:
    group = torch.tensor([0] * 10 + [1] * 30 + [2] * 60)
    kernel = (group[:, None] == group[None]).double()
    entropy = -sum(share * math.log(share) for share in (0.1, 0.3, 0.6))
    assert vendi(kernel=kernel) == pytest.approx(math.exp(entropy))


def test_features_far_apart_count_each_and_equal_ones_once() -> None:
    real = draws(100, 3)
    assert gaussian_vendi(real=real, fake=1000 * torch.arange(20.0)[:, None].expand(20, 3)) == pytest.approx(20)
    assert gaussian_vendi(real=real, fake=real[:1].expand(50, 3)) == pytest.approx(1)


def test_two_samples_at_the_median_distance() -> None:
    real, fake = torch.tensor([[0.0], [1.0]]), torch.tensor([[5.0], [6.0]])
    like = math.exp(-1 / 2)
    shares = ((1 + like) / 2, (1 - like) / 2)
    assert gaussian_vendi(real=real, fake=fake) == pytest.approx(math.exp(-sum(s * math.log(s) for s in shares)))


def test_units_and_origin_do_not_matter() -> None:
    real, fake = draws(200, 4).double(), draws(150, 4, seed=1).double()
    assert gaussian_vendi(real=real, fake=fake) == pytest.approx(gaussian_vendi(real=7 * real + 50, fake=7 * fake - 9))


def test_without_a_width_there_is_no_score() -> None:
    assert gaussian_vendi(real=torch.ones(10, 2), fake=draws(10, 2)) is None


def test_pairs_of_one_image_are_alike_and_of_noise_are_not() -> None:
    noise = draws(400, 1, 16, 16).clamp(-1, 1)
    assert pair_ssim(fake=noise[:1].expand(100, 1, 16, 16)) == pytest.approx(1)
    assert abs(pair_ssim(fake=noise)) < 0.02


def test_repeats_are_paired_by_chance() -> None:
    """Two images, equally often: half of the pairs are of one image with itself."""
    two = draws(2, 1, 16, 16).clamp(-1, 1)
    apart = pair_ssim(fake=two)
    expected = (1 + apart) / 2
    assert pair_ssim(fake=two.repeat(500, 1, 1, 1)) == pytest.approx(expected, abs=4 * (1 - apart) / 2 / 500**0.5)


def test_points_have_no_similarity_of_images() -> None:
    assert diversity.score(real_features=None, fake_features=None, fake=draws(10, 2)) == {
        "vendi": None, "pair_ssim": None
    }  # fmt: skip


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"fake lies in \[0, 255\], not in \[-1, 1\]"):
        pair_ssim(fake=torch.tensor([0.0, 255.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8))
    with pytest.raises(ValueError, match="fake holds one image: give 2 or more"):
        pair_ssim(fake=torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="real holds too few samples, 1"):
        gaussian_vendi(real=draws(1, 2), fake=draws(10, 2))
