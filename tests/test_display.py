"""The line that says how far units are."""

from pathlib import Path

import pytest

from pipeline.files import atomic_write
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


def test_what_a_kill_left_tells_nothing_of_the_speed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One of two units goes on at 60 of 100 steps and takes 20 in ten seconds: 20 and 100 are left, a minute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(display, "REFRESH", 0.0)
    units = [Unit("train", "ring", "gan", seed, "f", {"training": {"steps": 100}}) for seed in range(2)]
    atomic_write(units[0].file(".checkpoint"), b"")
    shown = Display("launch", units)
    shown.begin(units[:1])
    shown.show([], [])
    shown.advance(units[0], 60)
    shown.advance(units[0], 20)
    assert shown.bar is not None
    shown.bar.start_t -= 10
    shown.began[units[0]] -= 10
    shown.show([], [])
    assert "launch: 0/2 units  40% " in str(shown.bar) and ", 01:00 left, ring/gan 0 80% (2 steps/s)" in str(shown.bar)
    shown.close([], [])
