"""PSNR, SSIM and RMSE of errors that are known."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from sklearn.datasets import load_sample_images
from torch import Tensor

from benchmarks.metrics.common.similarity import ssim, ssim_map
from benchmarks.metrics.reconstruction import score


def images(n: int, side: int = 16, channels: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def test_psnr_of_a_known_error() -> None:
    real = images(20)
    found = score(test=real, reconstructed=real + 0.02)
    assert found["psnr"] == pytest.approx(40, abs=1e-3)  # 10 log10(2^2 / 0.02^2)
    assert found["rmse"] == pytest.approx(0.02, rel=1e-5)


def test_rmse_is_the_root_of_the_mean_over_all_data() -> None:
    points = torch.zeros(2, 3)
    found = score(test=points, reconstructed=torch.tensor([[1.0], [7.0]]).expand(2, 3))
    assert found == {"rmse": pytest.approx(5), "psnr": None, "ssim": None}


def test_psnr_is_the_mean_over_images_and_not_that_of_the_mean_error() -> None:
    real = images(2)
    error = torch.tensor([0.2, 0.02]).view(2, 1, 1, 1)
    assert score(test=real, reconstructed=real + error)["psnr"] == pytest.approx(30, abs=1e-3)


def test_images_given_back_exactly_count_for_a_hundred_decibels() -> None:
    real = images(10)
    assert score(test=real, reconstructed=real.clone()) == {"rmse": 0, "psnr": 100, "ssim": pytest.approx(1)}


def test_ssim_of_one_window_by_its_formula() -> None:
    a, b = images(1, side=7), images(1, side=7, seed=1)
    x, y = ((part.double().flatten() + 1) / 2 for part in (a, b))  # on [0, 1], whose range is 1
    c1, c2 = 0.01**2, 0.03**2
    covariance = torch.cov(torch.stack([x, y]))
    expected = (2 * x.mean() * y.mean() + c1) * (2 * covariance[0, 1] + c2)
    expected /= (x.mean() ** 2 + y.mean() ** 2 + c1) * (covariance[0, 0] + covariance[1, 1] + c2)
    assert ssim(a, b) == pytest.approx(expected.item())


@pytest.mark.parametrize("which", [0, 1])
def test_photographs_made_brighter_are_as_similar_as_the_library_says(which: int) -> None:
    """On [0, 1], as images are stored; the same formula on [-1, 1] takes a change of light for one of structure."""
    before = load_sample_images().images[which][:200, :200] / 255
    after = np.clip(before + 0.05, 0, 1)
    expected = structural_similarity(before, after, channel_axis=2, data_range=1)
    a, b = (torch.from_numpy(2 * x - 1).permute(2, 0, 1)[None] for x in (before, after))
    assert ssim(a, b) == pytest.approx(expected, rel=1e-9)
    assert ssim_map(a, b).shape == a.shape
    assert structural_similarity(2 * before - 1, 2 * after - 1, channel_axis=2, data_range=2) != pytest.approx(
        expected, abs=0.01
    )


@pytest.mark.parametrize(("light", "other"), [(0.2, 0.3), (0.0, 1.0), (0.5, 0.5)])
def test_ssim_of_plain_images_is_that_of_their_light(light: float, other: float) -> None:
    a, b = (torch.full((1, 1, 9, 9), 2 * x - 1, dtype=torch.float64) for x in (light, other))
    expected = (2 * light * other + 0.01**2) / (light**2 + other**2 + 0.01**2)
    assert ssim(a, b) == pytest.approx(expected)


def test_ssim_is_the_mean_over_images_and_channels() -> None:
    a, b = images(6, channels=3), images(6, channels=3, seed=1)
    parts = [ssim(a[i : i + 1, c : c + 1], b[i : i + 1, c : c + 1]) for i in range(6) for c in range(3)]
    assert ssim(a, b) == pytest.approx(sum(parts) / len(parts))


@pytest.mark.parametrize("side", [3, 4, 6, 8])
def test_small_images_have_a_similarity_too(side: int) -> None:
    assert ssim(images(3, side), images(3, side)) == pytest.approx(1)


def test_points_have_an_error_only() -> None:
    real = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    found = score(test=real, reconstructed=real + torch.tensor([0.3, 0.1]))
    assert found == {"rmse": pytest.approx(0.05**0.5), "psnr": None, "ssim": None}


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"real has the shape \(4, 1, 16, 16\) and reconstructed \(3, 1, 16, 16\)"):
        score(test=images(4), reconstructed=images(3))
    with pytest.raises(ValueError, match="1 of 4 samples are reconstructed as NaN or infinite"):
        score(test=images(4), reconstructed=images(4).index_fill(0, torch.tensor([1]), torch.nan))
    with pytest.raises(ValueError, match=r"test lies in \[0, 255\]"):
        score(test=torch.tensor([0.0, 255.0]).expand(2, 1, 2, 2), reconstructed=torch.zeros(2, 1, 2, 2))
