"""The line that says how far units are."""

import pytest

from pipeline.work import display
from pipeline.work.display import Display
from pipeline.work.units import Unit


def test_what_was_there_before_tells_nothing_of_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four units were there; the third takes ten seconds, and so will the fourth."""
    monkeypatch.setattr(display, "REFRESH", 0.0)
    units = [Unit("train", "ring", "gan", seed, "f", {"training": {"steps": 5}}) for seed in range(4)]
    shown = Display("launch", units, dict.fromkeys(units, 3.0))
    shown.begin(units[2:3])
    shown.show(units[:2], [])
    assert shown.bar is not None
    shown.bar.start_t -= 10
    shown.end(units[2:3])
    shown.show(units[:3], [])
    assert "launch: 3/4 units  75% " in str(shown.bar) and ", 00:10 left" in str(shown.bar)
    shown.close(units, [])
