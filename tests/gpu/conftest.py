"""Steps are recorded in every check, unless it says from where on they are not."""

from collections.abc import Callable

import pytest
from on_device import GPU

from pipeline.training import captured, engine


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, steps are taken one by one."""
    return lambda: monkeypatch.setenv("BENCHMARK_CAPTURE", "0")


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are recorded; on a CPU, replays are the steps themselves."""
    monkeypatch.delenv("BENCHMARK_CAPTURE", raising=False)
    if not GPU:
        monkeypatch.setattr(engine, "way", lambda device: engine.Resident)
        monkeypatch.setattr(captured, "wanted", lambda device: True)
        monkeypatch.setattr(captured, "record", lambda work: work)
