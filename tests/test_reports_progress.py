"""What is recorded during training, made up here, in a report; and what else shows dropped modes there."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from test_reports import COLUMNS, IMAGES, MODELS, POINTS, empty, fabricate

from reports import page, style
from reports.load import ORACLE, Column, Report, load
from reports.samples import Density
from reports.sections import critics, progress, snapshots

STEPS = [10, 20, 40, 80, 160, 320]
MODES = Column("modes", "Modes", "higher", 1)
RECORD = {  # by seed: modes, held, lost, fell at each step
    0: ([4, 5, 4, 2, 5, 3], [4, 5, 4, 2, 4, 3], [0, 0, 1, 3, 0, 2], [0, 0, 1, 2, 0, 2]),
    1: ([5, 5, 5, 5, 5, 5], [5, 5, 5, 5, 5, 5], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]),
    2: ([3, 3, 2, 2, 2, 1], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]),  # never twenty of a mode
}
REAL = 4.5  # modes that as many real data score


def record(root: Path, x: np.ndarray) -> None:
    """Snapshots and progress of all models; `plain` generates only when its training is over."""
    for model in MODELS:
        for folder in ("snapshots", "progress"):
            (root / model / folder).mkdir()
        for seed in range(3):
            steps = [] if model == "plain" else STEPS
            taken = np.stack([x + seed + place for place in range(len(steps))]) if steps else np.empty(0)
            levels = 17 if x.ndim == 4 else 0
            np.savez_compressed(
                root / model / "snapshots" / f"{seed}.npz", step=np.array(steps), x=taken, levels=levels
            )
            rows = zip(STEPS, *RECORD[seed], strict=True)
            lines = [f"{step},{modes},{modes / 10},{held},{lost},{fell}" for step, modes, held, lost, fell in rows]
            text = "\n".join(["step,modes,share,held,lost,fell", *lines[: len(steps)]]) + "\n"
            (root / model / "progress" / f"{seed}.csv").write_text(text)
    (root / ORACLE / "progress").mkdir()
    for seed in range(3):
        (root / ORACLE / "progress" / f"{seed}.csv").write_text(f"step,modes,share\n0,{REAL + seed - 1},0.9\n")


def read(root: Path) -> Report:
    samples = {model: root / model / "samples" for model in (*MODELS, ORACLE)}
    return load("made_up", "toys", MODELS, root, samples, {model: root / model / "snapshots" for model in MODELS})


def results(root: Path, x: np.ndarray) -> Report:
    fabricate(root, x, columns=(MODES, *COLUMNS))
    record(root, x)
    line = np.linspace(-3, 3, 20)
    density = Density(line, line, -(line**2 + line[:, None] ** 2) / 2)
    return replace(read(root), density=density if x.ndim == 2 else None)


@pytest.fixture
def points(tmp_path: Path) -> Report:
    return results(tmp_path / "scores", POINTS)


@pytest.fixture
def images(tmp_path: Path) -> Report:
    return results(tmp_path / "scores", IMAGES // 2)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures that sections save, by the names of their files."""
    figures: dict[str, Figure] = {}
    monkeypatch.setattr(style, "save", lambda figure, path: figures.__setitem__(path.name, figure))
    return figures


def with_scores(report: Report, values: dict[str, dict[str, list[float]]]) -> Report:
    """The report with further columns: name -> model -> value by seed."""
    rows = [
        (model, seed, name, value)
        for name, models in values.items()
        for model, seeds in models.items()
        for seed, value in enumerate(seeds)
    ]
    more = pd.DataFrame(rows, columns=["model", "seed", "metric", "value"])
    columns = (*report.columns, *(Column(name, name.upper(), "lower", 2) for name in values))
    return replace(report, columns=columns, scores=pd.concat([report.scores, more]))


def test_what_training_left_is_read_into_tidy_form(points: Report) -> None:
    assert set(points.progress.columns) == {"model", "seed", "step", "metric", "value"}
    found = points.progress[(points.progress.model == "odd_name") & (points.progress.metric == "modes")]
    assert found[found.seed == 0].value.tolist() == RECORD[0][0] and found[found.seed == 0].step.tolist() == STEPS
    assert list(points.progress.metric.unique()) == ["modes", "share", "held", "lost", "fell"]
    assert points.real == {"modes": REAL, "share": pytest.approx(0.9)} and ORACLE not in set(points.progress.model)
    assert set(points.progress[points.progress.model == "lost"].seed) == {1, 2}  # its seed 0 diverged
    assert "plain" not in set(points.progress.model) and "plain" not in points.snapshots
    assert list(points.snapshots["odd_name"]) == STEPS and points.snapshots["lost"][40].seed == 1
    np.testing.assert_array_equal(points.snapshots["lost"][40].x, POINTS + 1 + 2)


def test_older_results_without_a_record_have_no_such_sections(tmp_path: Path) -> None:
    fabricate(tmp_path / "scores", POINTS)
    report = read(tmp_path / "scores")
    assert report.progress.empty and report.snapshots == {}
    for section in (snapshots, progress, critics):
        assert section.render(report, tmp_path) is None


@pytest.mark.parametrize("name", ["progress/1.csv", "snapshots/0.npz"])
def test_a_damaged_record_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    results(tmp_path, POINTS)
    path = tmp_path / "odd_name" / name
    path.write_bytes(b"\x00\xff nonsense")
    with pytest.raises(ValueError, match=r"damaged.*dvc repro benchmarks/made_up/dvc\.yaml") as caught:
        read(tmp_path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)


def test_snapshots_that_do_not_fit_their_steps_are_refused(tmp_path: Path) -> None:
    results(tmp_path, POINTS)
    for x, levels in ((POINTS[None], 0), (POINTS, 0), (np.stack([POINTS, POINTS]), 17)):
        np.savez(tmp_path / "odd_name/snapshots/0.npz", step=np.array([1, 2]), x=x, levels=levels)
        with pytest.raises(ValueError, match=r"0\.npz is damaged .* is not 2 sets of points, images or clips"):
            read(tmp_path)


def test_steps_shown_double_and_end_with_the_last() -> None:
    assert snapshots.doubling({500 * turn for turn in range(1, 21)}) == [500, 1000, 2500, 5000, 10000]
    assert snapshots.doubling({150 * turn for turn in range(1, 4)}) == [150, 300, 450]
    assert snapshots.doubling({7}) == [7]


def test_models_are_shown_at_the_same_steps(points: Report, drawn: dict[str, Figure], tmp_path: Path) -> None:
    snapshots.render(points, tmp_path)
    panels = drawn["snapshots.png"].axes
    assert len(panels) == 2 * 5
    rows = [panels[start : start + 5] for start in range(0, len(panels), 5)]
    assert [row[0].get_title(loc="left") for row in rows] == list(MODELS[1:])
    said = ["20 steps", "40 steps", "80 steps", "160 steps", "320 steps"]
    assert [axes.texts[0].get_text() for axes in rows[0]] == said
    for model, row in zip(MODELS[1:], rows, strict=True):
        for axes, step in zip(row, STEPS[1:], strict=True):
            np.testing.assert_array_equal(axes.collections[0].get_offsets(), points.snapshots[model][step].x)
            assert axes.get_xlim() == axes.get_ylim() == (-3, 3)  # the density's window
    assert [axes.get_xlabel() for axes in rows[0]] == [f"Modes {modes}" for modes in RECORD[0][0][1:]]


def renamed(report: Report, old: str, new: str) -> Report:
    """With what is drawn of one model under another name."""
    models = tuple(new if model == old else model for model in report.models)
    taken = report.snapshots | {new: report.snapshots[old]}
    samples = report.samples | {new: report.samples[old]}
    record = report.progress.assign(model=report.progress.model.replace(old, new))
    return replace(report, models=models, snapshots=taken, samples=samples, progress=record)


def test_names_and_steps_lie_apart(points: Report, drawn: dict[str, Figure], tmp_path: Path) -> None:
    longest = "structured_cvae_2_recurrent"
    snapshots.render(renamed(points, "odd_name", longest), tmp_path)
    figure = drawn["snapshots.png"]
    style.save(figure, tmp_path / "again.png")
    words = [text for axes in figure.axes for text in (*axes.texts, axes._left_title, axes.xaxis.label)]
    boxes = [text.get_window_extent() for text in words if text.get_text()]
    assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])


def test_images_are_shown_too(images: Report, drawn: dict[str, Figure], tmp_path: Path) -> None:
    snapshots.render(images, tmp_path)
    shown = drawn["snapshots.png"].axes[4].images[0].get_array()
    assert shown[:8, :8, 0].tolist() == (images.snapshots["odd_name"][320].x[0, 0] * (255 / 16)).round().tolist()


def test_losses_are_of_seeds_that_held_something(points: Report) -> None:
    found = progress.losses(points.progress)
    odd = found[found.model == "odd_name"].set_index("seed")
    assert odd.loc[0].fell.tolist() == [0, 0, 1, 2, 0, 2] and odd.loc[0].lost.tolist() == RECORD[0][2]
    assert odd.loc[1].fell.sum() == 0 and set(odd.index) == {0, 1}
    assert set(found[found.model == "lost"].seed) == {1}


def test_the_table_of_losses(points: Report, tmp_path: Path) -> None:
    fragment = progress.render(points, tmp_path)
    table = pd.read_csv(tmp_path / "losses.csv").set_index(["model", "metric"])
    odd = table.loc["odd_name"]
    assert odd["mean"].to_dict() == pytest.approx({"most": 13 / 3, "last": 3, "fell": 2.5, "missing": 1, "when": 320})
    assert odd.n.to_dict() == {"most": 3, "last": 3, "fell": 2, "missing": 2, "when": 1}
    assert set(table.index.get_level_values("model")) == {"odd_name", "lost"} and table.mark.isna().all()
    text = (tmp_path / "losses.md").read_text()
    assert "| `lost` (1/3 diverged) | 4.0 ± 1.4 (n = 2 of 3) | 3.0 ± 2.8 (n = 2 of 3) | 0.0 (n = 1 of 3) |" in text
    assert fragment.title == "Modes during training" and {"losses.md", "losses.csv"} <= set(fragment.files)


def test_without_a_mode_ever_held_there_is_no_talk_of_losses(points: Report, tmp_path: Path) -> None:
    held = points.progress.metric.isin(["held", "lost", "fell"])
    never = points.progress.assign(value=points.progress.value.where(~held, 0))
    for record in (never, points.progress[~held]):
        progress.render(replace(points, progress=record), tmp_path)
        assert "Lost" not in (tmp_path / "losses.md").read_text()
        assert set(pd.read_csv(tmp_path / "losses.csv").metric) == {"most", "last"}


def test_critics_stand_beside_the_exact_distance(points: Report, drawn: dict[str, Figure], tmp_path: Path) -> None:
    exact = {model: [0.3, 0.4, 0.5] for model in MODELS} | {ORACLE: [0.1, 0.1, 0.1]}
    estimates = {"critic_w1": {"plain": [0.2, 0.2, 0.5]}, "critic_scaled_w1": {"odd_name": [0.001, 0.002, 0.003]}}
    fragment = critics.render(with_scores(points, {"w1": exact} | estimates), tmp_path)
    ((_, table),) = fragment.tables
    found = {row.model: [cell.text for cell in row.cells] for row in table.rows}
    assert found == {
        "plain": ["W1", "0.30 ± 0.17", "0.40 ± 0.10", "0.10 ± 0.00"],
        "odd_name": ["W1, up to a factor", "0.00 ± 0.00", "0.40 ± 0.10", "0.10 ± 0.00"],
    }
    assert not any(cell.mark for row in table.rows for cell in row.cells)
    (axes,) = drawn["critics.png"].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["plain"]
    assert axes.lines[0].get_xdata() == pytest.approx([0.4, 0.3])
    assert "W1" in (tmp_path / "critics.md").read_text()


def test_a_critic_without_an_exact_distance_is_left_out(points: Report, tmp_path: Path) -> None:
    assert critics.render(with_scores(points, {"critic_js": {"plain": [0.2, 0.2, 0.5]}}), tmp_path) is None
    scaled = {"critic_scaled_w1": {"plain": [0.2, 0.3, 0.4]}, "w1": {"plain": [1.0, 1.0, 1.0]}}
    assert critics.render(with_scores(points, scaled), tmp_path).pictures == ()


@pytest.mark.parametrize("kind", ["points", "images"])
def test_a_page_begins_with_the_snapshots_and_is_the_same_again(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(kind)
    for place in ("one", "two"):
        page.benchmark(report, empty(tmp_path / place), "../index.html")
    html = (tmp_path / "one/index.html").read_text()
    assert re.search(r'<img src="([^"]+)"', html).group(1) == "snapshots.png"
    for name in ("snapshots.png", "losses.md", "losses.csv", "data.js"):
        assert f'="{name}"' in html
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert (tmp_path / "one" / name).stat().st_size < 200_000
    with Image.open(tmp_path / "one/cover.png") as cover:
        assert cover.width > 3 * cover.height, "real data and three contestants, one beside another"


def test_the_rarest_colour_of_a_picture_is_kept(tmp_path: Path) -> None:
    figure, (axes,) = style.panels(1, 1, 4, 4)
    axes.imshow(np.random.default_rng(0).random((300, 300)), cmap="viridis")
    axes.plot(150, 150, "s", color="#D55E00", markersize=4, markeredgewidth=0)
    style.save(figure, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
    assert abs(pixels - [0xD5, 0x5E, 0x00]).max(1).min() <= 16
