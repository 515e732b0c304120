"""The pictures of docs/divergences.md show what the metrics compute, and what the page says of it."""

import math
from pathlib import Path

import pytest

from pipeline.tools import teach
from reports import style


def test_js_saturates_while_w1_keeps_its_slope() -> None:
    near, far = teach.exact(7.0), teach.exact(8.0)
    assert far.js == pytest.approx(math.log(2), abs=1e-3)
    assert 0 < far.js - near.js < 1e-3
    assert far.w1 - near.w1 == pytest.approx(1)
    assert far.kl == pytest.approx(32, rel=1e-3)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_samples_find_the_same(shift: float) -> None:
    """Cells of side sigma, in place of a twentieth, take a few per cent from KL and JS."""
    exact, measured = teach.exact(shift), teach.measured(shift)
    assert 0.85 * exact.kl < measured.kl < exact.kl
    assert 0.85 * exact.js < measured.js < exact.js
    assert measured.w1 == pytest.approx(exact.w1, abs=0.2)


def test_one_gaussian_covers_two_modes_or_picks_one() -> None:
    near, far = (teach.best_fits(mode) for mode in teach.MODES)
    for mode, fits in zip(teach.MODES, (near, far), strict=True):
        assert fits["KL"] == pytest.approx((0, math.sqrt(1 + mode**2)), abs=1e-3)  # the moments of the data
        assert fits["reverse KL"] == pytest.approx((mode, 1), abs=0.03)
    assert near["JS"].mean == pytest.approx(0, abs=1e-3)
    assert far["JS"] == pytest.approx((teach.MODES[1], 1), abs=1e-3)


def test_the_drawn_lines_are_the_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teach, "DOCS", tmp_path)
    drawn = {}
    monkeypatch.setattr(style, "save", lambda figure, path: drawn.update({path.name: figure}))
    teach.main()
    assert drawn.keys() == {path.name for path in Path(__file__).parents[1].glob("docs/*.png")}
    values = drawn["moving_apart.png"].axes[0]
    for line, name in zip(values.lines[::2], teach.Distances._fields, strict=False):
        for place in (5, 20, 80):
            assert line.get_ydata()[place] == pytest.approx(getattr(teach.exact(line.get_xdata()[place]), name))
