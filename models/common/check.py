"""Hyperparameters are checked where they enter: each error names the value and what fits."""

from __future__ import annotations


def at_least(low: int, **values: int) -> None:
    for name, value in values.items():
        if not value >= low:
            raise ValueError(f"{name} = {value}: must be {low} or more")


def positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} = {value}: must be above 0")


def decay(**values: float) -> None:
    """Weights of a moving average."""
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} = {value}: must lie in [0, 1)")
