"""Errors in the units that tables state them in: images on [0, 1], points as they are."""

import torch
from torch import Tensor


def absolute_error(found: Tensor, true: Tensor) -> float:
    """Mean absolute error of finite data of one shape, images (n, C, H, W) in [-1, 1] or points (n, D)."""
    if found.shape != true.shape or not found.numel():
        raise ValueError(f"shapes {tuple(found.shape)} and {tuple(true.shape)} cannot be compared: give equal ones")
    error = (found.double() - true.double()).abs().mean() / (2 if found.ndim == 4 else 1)
    if error.isnan() or error.isinf():
        raise ValueError("an error is NaN or inf: give finite data")
    return error.item()


def root_mean_square(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x.double()) / x.numel() ** 0.5
