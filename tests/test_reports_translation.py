"""The section of translations, on fabricated results: rows of images, panels of points, a table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_reports import IMAGES, POINTS, empty, fabricate, read

from reports import page, style
from reports.load import Column, Report
from reports.pictures import EDGE
from reports.samples import Translations
from reports.sections import translation

MODELS = ("cyclegan", "regression", "gan")  # the last one translates nothing
COLUMNS = (
    Column("partner_mae", "Error (MAE)", "lower", 4, note="A mean."),
    Column("cycle_mae", "Cycle error", "lower", 4, note="Another."),
    Column("spare", "Spare", None, 0),
)


def put(folder: Path, levels: int, **arrays: np.ndarray) -> None:
    folder.mkdir()
    for seed in range(3):
        np.savez_compressed(folder / f"{seed}.npz", levels=levels, **arrays)


def colours(x: np.ndarray) -> np.ndarray:
    """Grey images in red."""
    return np.concatenate([x, 0 * x, 0 * x], 1)


@pytest.fixture
def images(tmp_path: Path) -> Report:
    root = tmp_path / "scores"
    fabricate(root, colours(IMAGES), MODELS, COLUMNS)
    source, label = IMAGES[:12], np.arange(12) % 10
    known = {"source": source, "truth": colours(source), "label": label}
    draw, back = colours(IMAGES[24:36]), IMAGES[36:48]
    put(
        root / "cyclegan/samples/translations",
        17,
        translation=colours(IMAGES[12:24]),
        draw=draw,
        returned=back,
        **known,
    )
    put(root / "regression/samples/translations", 17, translation=draw, draw=draw, **known)
    put(root / "oracle/samples/translations", 17, translation=colours(source), returned=source, **known)
    return read(root, MODELS)


@pytest.fixture
def points(tmp_path: Path) -> Report:
    root = tmp_path / "scores"
    fabricate(root, POINTS, MODELS, COLUMNS)
    put(root / "cyclegan/samples/translations", 0, source=POINTS, translation=POINTS + 1, returned=POINTS)
    put(root / "regression/samples/translations", 0, source=POINTS, translation=POINTS - 1)
    return read(root, MODELS)


def test_a_models_images_stand_row_under_row(images: Report, tmp_path: Path) -> None:
    fragment = translation.render(images, tmp_path)
    captions = {picture.file: picture.caption for picture in fragment.gallery}
    assert list(captions.values()) == [
        "true map: source, translation, truth, way back",
        "cyclegan: source, translation, another draw, truth, way back",
        "regression: source, translation, truth",
    ]
    with Image.open(tmp_path / "translations/cyclegan.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    factor = translation.SHEET // (12 * 9 - 1)
    high, wide = factor * (5 * 9 - 1), factor * (12 * 9 - 1)
    names, sheet = pixels[EDGE : EDGE + high, : -EDGE - wide], pixels[EDGE : EDGE + high, -EDGE - wide : -EDGE]
    assert all((row < 128).any() for row in np.array_split(names, 5)), "each row has a name"
    small = sheet[::factor, ::factor].astype(int)
    assert small.shape == (5 * 9 - 1, 12 * 9 - 1, 3)
    grey = np.rint(IMAGES[1, 0] * 255.0 / 16)
    assert np.abs(small[:8, 9:17] - grey[..., None]).max() <= 1, "the source is grey"
    assert np.abs(small[27:35, 9:17, 0] - grey).max() <= 1 and not small[27:35, 9:17, 1:].any(), "the truth is red"
    assert np.abs(small[36:44, :8, 1] - np.rint(IMAGES[36, 0] * 255.0 / 16)).max() <= 1


def test_points_keep_the_colour_of_where_they_start(points: Report, tmp_path: Path) -> None:
    found = points.translations["cyclegan"]
    sectors = translation.places(found)
    angle = np.degrees(np.arctan2(*(POINTS - POINTS.mean(0)).T[::-1])) % 360
    assert (sectors == angle // 45).all()
    told = found._replace(label=np.arange(len(POINTS)) % 3)
    assert (translation.places(told) == np.arange(len(POINTS)) % 3).all()
    with style.sheet():
        figure = translation.draw(points, points.translations)
    panels = figure.axes
    assert [axes.get_title(loc="left") for axes in panels[:4]] == ["source", "translation", "truth", "way back"]
    assert [len(axes.collections) for axes in panels] == [1, 1, 0, 1, 1, 1, 0, 0], "no truth, and one way without back"
    drawn = panels[1].collections[0]
    np.testing.assert_allclose(drawn.get_offsets(), POINTS + 1)
    assert len({tuple(colour) for colour in drawn.get_facecolors()}) == len(set(sectors))
    assert [axes.get_ylabel() for axes in panels[::4]] == ["cyclegan", "regression"]


@pytest.mark.parametrize("kind", ["images", "points"])
def test_the_table_has_what_was_measured_and_the_page_links_it(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    report = request.getfixturevalue(kind)
    page.benchmark(report, empty(tmp_path / "page"), "../index.html")
    html = (tmp_path / "page/index.html").read_text()
    wanted = ("translation.md", "translations/cyclegan.png" if kind == "images" else "translation.png")
    for name in wanted:
        assert f'"{name}"' in html and (tmp_path / "page" / name).stat().st_size < 200_000
    text = (tmp_path / "page/translation.md").read_text()
    assert "Error (MAE)" in text and "Cycle error" in text and "Spare" not in text


def test_other_benchmarks_have_no_such_section(images: Report, tmp_path: Path) -> None:
    assert translation.render(replace(images, translations={}), tmp_path) is None


def test_a_damaged_file_is_named_with_the_remedy(images: Report, tmp_path: Path) -> None:
    path = tmp_path / "scores/cyclegan/samples/translations/0.npz"
    np.savez(path, source=IMAGES[:3], translation=IMAGES[:2], levels=17)
    with pytest.raises(ValueError, match=r"translations/0\.npz is damaged.*dvc repro benchmarks/made_up/dvc\.yaml"):
        read(tmp_path / "scores", MODELS)


def test_an_unlabelled_datum_needs_no_truth() -> None:
    found = Translations(IMAGES, IMAGES, None, None, None, None, 17)
    assert list(translation.shown(found)) == ["source", "translation"]
