"""Translations whose scores are known: maps by hand, modes permuted, colours drawn and mixed."""

import math

import numpy as np
import pytest
import torch
from made import as_input, levels
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from benchmarks.datasets.common.translation import hues
from benchmarks.metrics import cycle, mode_map, one_to_many, translation, transport_map
from benchmarks.metrics.common.units import absolute_error

CENTRES = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
LABELS = torch.tensor([0] * 10 + [1] * 20 + [2] * 30 + [3] * 40)


def sent(order: list[int]) -> dict[str, float | None]:
    """Scores where mode k goes to mode order[k]."""
    return mode_map.score(fake=CENTRES[torch.tensor(order)][LABELS], source_labels=LABELS, centres=CENTRES)


def test_modes_are_sent_right_as_named_or_under_the_best_permutation() -> None:
    assert sent([0, 1, 2, 3]) == {"modes_right": 1, "modes_right_permuted": 1}
    assert sent([1, 2, 3, 0]) == {"modes_right": 0, "modes_right_permuted": 1}
    assert sent([1, 0, 2, 3]) == {"modes_right": 0.7, "modes_right_permuted": 1}
    assert sent([0, 0, 0, 0]) == {"modes_right": 0.1, "modes_right_permuted": 0.4}, "a permutation sends one there"


def test_a_point_between_modes_is_in_none() -> None:
    near = CENTRES + torch.tensor([1.41, 0.0])  # half of the closest distance is the root of 2
    out = CENTRES + torch.tensor([1.42, 0.0])
    for fake, share in ((near, 1), (out, 0), (100 * CENTRES, 0)):
        found = mode_map.score(fake=fake, source_labels=torch.arange(4), centres=CENTRES)
        assert found["modes_right"] == share


def test_one_mode_cannot_be_missed() -> None:
    values = mode_map.score(fake=CENTRES, source_labels=torch.zeros(4).long(), centres=CENTRES[:1])
    assert set(values.values()) == {None}


def test_unexplained_variance_by_hand() -> None:
    target = torch.tensor([[0.0, 0.0], [2.0, 4.0]])  # variance 1 + 4
    found = transport_map.score(real=target, fake=target + torch.tensor([1.0, 2.0]), target=target)
    assert found["l2_uvp"] == pytest.approx(5 / 5) and found["map_w2"] == pytest.approx(math.sqrt(5))
    assert transport_map.score(real=target, fake=target, target=target) == {"l2_uvp": 0, "map_w2": 0}
    assert transport_map.score(real=target, fake=target, target=None)["l2_uvp"] is None


def test_errors_of_images_are_on_the_unit_interval() -> None:
    true, found = (as_input(levels(20, seed)) for seed in (0, 1))
    values = translation.score(target=true, fake=found, fake_labels=None, source_labels=None)
    a, b = (((x + 1) / 2).double().numpy() for x in (true, found))
    assert values["partner_mae"] == pytest.approx(np.abs(a - b).mean())
    ratios = [peak_signal_noise_ratio(x, y, data_range=1) for x, y in zip(a, b, strict=True)]
    assert values["partner_psnr"] == pytest.approx(np.mean(ratios))
    assert values["label_kept"] is None and values["sharpness"] == pytest.approx(1, abs=0.1)
    exact = translation.score(target=true, fake=true, fake_labels=None, source_labels=None)
    assert exact["partner_mae"] == 0 and exact["partner_psnr"] == 100 and exact["partner_ssim"] == pytest.approx(1)
    points = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    assert absolute_error(points + 0.5, points) == 0.5, "of points in their own units"


def test_a_blurred_image_is_less_sharp() -> None:
    stripes = torch.tensor([1.0, -1.0]).repeat(4).expand(3, 1, 8, 8)
    assert translation.sharpness(fake=stripes / 2, target=stripes) == 0.5
    assert translation.sharpness(fake=stripes.mT, target=stripes) == 1
    assert translation.sharpness(fake=stripes, target=0 * stripes) is None


def test_a_label_is_kept_if_the_judge_gives_it() -> None:
    images = as_input(levels(4, 0))
    labels = torch.tensor([1, 2, 3, 4])
    found = translation.score(target=None, fake=images, fake_labels=torch.tensor([1, 2, 3, 0]), source_labels=labels)
    assert found["label_kept"] == 0.75 and found["partner_mae"] is None


def coloured(grey: Tensor, colours: Tensor) -> Tensor:
    """(m, 1, H, W) in [0, 1] and (k, m, 3) -> (k, m, 3, H, W) in [-1, 1]"""
    return 2 * grey * colours[..., None, None] - 1


def test_diversity_and_saturation_are_shares_of_the_datas() -> None:
    rng = torch.Generator().manual_seed(0)
    grey = torch.rand(2000, 1, 4, 4, generator=rng)
    truths = coloured(grey, hues(4000, rng).view(2, 2000, 3))
    same = one_to_many.score(draws=truths, truths=truths)
    assert same == {"diversity_share": 1, "saturation": 1}
    others = one_to_many.score(draws=coloured(grey, hues(8000, rng).view(4, 2000, 3)), truths=truths)
    assert others["diversity_share"] == pytest.approx(1, abs=0.05), "of four draws as of two"
    one = one_to_many.score(draws=truths[:1].expand(3, -1, -1, -1, -1), truths=truths)
    assert one["diversity_share"] == 0 and one["saturation"] == pytest.approx(1, abs=0.05)
    mean = coloured(grey, torch.full((2, 2000, 3), 0.5))  # what squared and absolute errors agree upon
    assert one_to_many.score(draws=mean, truths=truths) == {"diversity_share": 0, "saturation": 0}


def test_the_datas_own_diversity_in_closed_form() -> None:
    """Hues on their circle: each channel is 1 or 0 a third of the time each, else uniform, so that it has the variance
    1/3 + 1/9 - 1/4 and two differ by twice that in the mean square."""
    rng = torch.Generator().manual_seed(0)
    apart = one_to_many.apart(hues(200_000, rng).view(2, 100_000, 3))
    assert apart.item() == pytest.approx(math.sqrt(2 * (1 / 3 + 1 / 9 - 1 / 4)), rel=0.01)


def test_a_cycle_is_scored_where_there_is_a_way_back() -> None:
    source = as_input(levels(30, 0))
    values = cycle.score(source=source, returned=source, returned_after_noise=-source, back=source, partner=source)
    assert values["cycle_mae"] == 0 and values["fd_back"] == pytest.approx(0, abs=1e-9)
    assert values["cycle_noise_mae"] == pytest.approx(source.double().abs().mean().item())
    without = cycle.score(source=source, returned=None, returned_after_noise=None, back=None, partner=source)
    assert set(without.values()) == {None}


def test_what_comes_back_is_compared_with_what_went_and_with_its_domain() -> None:
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    values = cycle.score(source=x, returned=x + 0.25, returned_after_noise=x - 0.5, back=x + 3, partner=x + 1)
    assert values["cycle_mae"] == pytest.approx(0.25) and values["cycle_noise_mae"] == pytest.approx(0.5)
    assert values["fd_back"] == pytest.approx(3 * 2**2, rel=1e-5), "of one covariance: the squared distance of means"


def test_data_that_cannot_be_compared_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(4, 2\) and \(3, 2\) cannot be compared"):
        absolute_error(CENTRES, CENTRES[:3])
    with pytest.raises(ValueError, match="NaN"):
        absolute_error(CENTRES * math.nan, CENTRES)
    with pytest.raises(ValueError, match="draws and truths are"):
        one_to_many.score(draws=torch.zeros(1, 3, 3, 2, 2), truths=torch.zeros(2, 3, 3, 2, 2))
