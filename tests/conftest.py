"""What every test has: one thread, and chance of its own; and float64, or a command, for those that ask for it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import torch

from pipeline.stage import run_stage

if TYPE_CHECKING:  # it imports far more than every test needs
    from scoring import Command

torch.set_num_threads(1)  # the nets are small, and two threads that wait for one another on a busy machine are slower


@pytest.fixture(autouse=True)
def own_chance() -> None:
    """A test draws the same alone, in any order and in any process."""
    torch.manual_seed(0)


@pytest.fixture
def float64() -> Iterator[None]:
    """Nets, data and draws are of float64, for tests that work a number out in two ways.

    Processors sum in different orders, and one may sum two products of unlike shapes in two. In float64 such sums
    differ by some 1e-16 of their terms, and differences of terms as they occur here by 1e-12 of what is left: far
    within 1e-7, the tolerance of `torch.testing.assert_close`, and 1e-5, that of `torch.isclose`.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run a module as `python -m` does: its exit status, stdout and stderr."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(module: ModuleType, *arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run_stage(module.main)
        return end.value.code, *capsys.readouterr()

    yield run
    signal.signal(signal.SIGTERM, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The real pipeline first: with two processes all other files then fit beside it."""
    items.sort(key=lambda item: item.path.name != "test_pipeline.py")
