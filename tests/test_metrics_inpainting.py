"""Figures of fillings whose errors are known."""

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from benchmarks.metrics.inpainting import COLUMNS, DAMAGE, fidelity, score


def images(n: int, side: int = 16, channels: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def left_half(whole: Tensor) -> Tensor:
    """(n, C, H, W) -> (n, 1, H, W)"""
    hidden = torch.zeros(len(whole), 1, *whole.shape[2:], dtype=torch.bool)
    hidden[..., : whole.shape[3] // 2] = True
    return hidden


def test_sixteen_columns_none_of_them_main() -> None:
    assert len(COLUMNS) == len({column.name for column in COLUMNS}) == 4 * len(DAMAGE) == 16
    assert not any(column.main for column in COLUMNS) and {column.direction for column in COLUMNS} == {"higher"}


def test_psnr_of_a_known_error_counts_hidden_pixels_only() -> None:
    whole = images(6)
    hidden = left_half(whole)
    draws = (whole + 0.02 * hidden)[None]
    assert fidelity(whole=whole, hidden=hidden, draws=draws)["psnr"] == pytest.approx(40, abs=1e-3)  # 10 log10(4/.02^2)
    elsewhere = draws + 0.5 * ~hidden
    assert fidelity(whole=whole, hidden=hidden, draws=elsewhere)["psnr"] == pytest.approx(40, abs=1e-3)


def test_psnr_is_over_pixels_and_channels_of_an_image_and_then_over_images() -> None:
    whole, hidden = images(2, channels=2), torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    hidden[0, 0, 0, :4] = hidden[1, 0, :8] = True  # holes of different sizes weigh alike
    error = torch.zeros_like(whole)
    error[0, 0, 0, :4], error[1] = 0.2 * 2**0.5, 0.02  # one of two channels in the first image
    found = fidelity(whole=whole, hidden=hidden, draws=(whole + error)[None])
    assert found["psnr"] == pytest.approx((20 + 40) / 2, abs=1e-3)


def test_draws_that_err_to_either_side_have_an_exact_mean() -> None:
    whole = images(4)
    hidden = left_half(whole)
    off = 0.2 * hidden
    found = fidelity(whole=whole, hidden=hidden, draws=torch.stack([whole + off, whole - off]))
    assert found["psnr"] == 100 and found["ssim"] == pytest.approx(1)
    assert found["psnr_best"] == pytest.approx(20, abs=1e-3) and found["ssim_best"] < 0.999


def test_the_best_draw_is_chosen_for_each_image() -> None:
    whole = images(2)
    hidden = left_half(whole)
    bad, good = torch.tensor([0.2, 0.02]).view(2, 1, 1, 1), torch.tensor([0.02, 0.2]).view(2, 1, 1, 1)
    draws = torch.stack([whole + bad * hidden, whole + good * hidden])
    assert fidelity(whole=whole, hidden=hidden, draws=draws)["psnr_best"] == pytest.approx(40, abs=1e-3)


def test_similarity_is_the_librarys_map_over_the_hole() -> None:
    whole, other = images(3, channels=2), images(3, channels=2, seed=1)
    hidden = left_half(whole)
    parts = []
    for a, b in zip(*((x.double().numpy() + 1) / 2 for x in (whole, other)), strict=True):
        _, found = structural_similarity(a, b, win_size=7, channel_axis=0, data_range=1, full=True)
        parts.append(found[:, :, :8].mean())
    given = fidelity(whole=whole, hidden=hidden, draws=other[None])
    assert given["ssim"] == given["ssim_best"] == pytest.approx(sum(parts) / len(parts))


@pytest.mark.parametrize("side", [4, 6, 8])
def test_small_images_have_a_similarity_too(side: int) -> None:
    whole = images(3, side)
    assert fidelity(whole=whole, hidden=left_half(whole), draws=whole[None])["ssim"] == pytest.approx(1)


def test_damage_that_does_not_fit_has_no_figures() -> None:
    whole = images(3)
    hidden = left_half(whole).expand(len(DAMAGE), -1, -1, -1, -1)
    filled = whole.expand(len(DAMAGE), 2, -1, -1, -1, -1).clone()
    filled[list(DAMAGE).index("rectangle")] = torch.nan
    found = score(whole=whole, hidden=hidden, filled=filled)
    assert list(found) == [column.name for column in COLUMNS]
    assert {name for name, value in found.items() if value is None} == {
        f"fill_rectangle_{measure}" for measure in ("psnr", "psnr_best", "ssim", "ssim_best")
    }
    assert found["fill_centre_psnr"] == 100


def test_bad_input_is_one_line() -> None:
    whole = images(2)
    hidden = left_half(whole)
    with pytest.raises(ValueError, match=r"hidden \(2, 1, 16, 16\) and draws \(1, 2, 1, 16, 8\) do not fit"):
        fidelity(whole=whole, hidden=hidden, draws=whole[None, ..., :8])
    with pytest.raises(ValueError, match="1 pixels are filled with NaN or infinity"):
        fidelity(
            whole=whole, hidden=hidden, draws=whole[None].index_put((torch.tensor(0),) * 5, torch.tensor(torch.inf))
        )
    with pytest.raises(ValueError, match="1 images have no hidden pixel"):
        fidelity(whole=whole, hidden=hidden & torch.tensor([True, False]).view(2, 1, 1, 1), draws=whole[None])
