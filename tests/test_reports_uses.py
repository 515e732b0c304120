"""The sections of holes filled and of codes decoded, on fabricated results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_reports import IMAGES, POINTS, empty, fabricate, read

from reports import page, pictures, statistics
from reports.load import Column, Report
from reports.sections import inpainting, latents

MODELS = ("parzen", "filler", "half", "gan")  # the last one fills nothing
COLUMNS = tuple(
    Column(f"fill_{damage}_{measure.lower()}{'_best' * best}", f"{damage}: {measure}{', best' * best}", "higher", 2)
    for damage in ("hole", "half")
    for measure in ("PSNR", "SSIM")
    for best in (False, True)
)
DAMAGE = ("Hole", "Half")
SHAPE = (2, 6, 1, 8, 8)


def put(folder: Path, x: np.ndarray, **arrays: object) -> None:
    """Fillings, or walks, of three seeds."""
    folder.mkdir()
    for seed in range(3):
        np.savez_compressed(folder / f"{seed}.npz", levels=17 if x.ndim == 4 else 0, **arrays)


@pytest.fixture
def images(tmp_path: Path) -> Report:
    root = tmp_path / "scores"
    fabricate(root, IMAGES, MODELS, COLUMNS)
    for model in (*MODELS, "oracle"):
        content = json.loads((root / model / "scores.json").read_text())
        for row in content["seeds"]:
            hidden = {"half": "fill_hole", "filler": "none", "parzen": "none"}.get(model, "fill")
            row |= {column.name: None for column in COLUMNS if column.name.startswith(hidden)}
        (root / model / "scores.json").write_text(json.dumps(content))
    whole = IMAGES[:6]
    shown = {"damage": np.array(DAMAGE), "whole": whole, "damaged": np.zeros(SHAPE, np.uint8)}
    flat = {"mean": np.full(SHAPE, 16, np.uint8), "draw": np.full(SHAPE, 16, np.uint8)}
    noise = {"mean": flat["mean"], "draw": np.broadcast_to(whole, SHAPE)}
    put(root / "parzen/samples/fills", IMAGES, fits=np.array([True, True]), **shown, **flat)
    put(root / "filler/samples/fills", IMAGES, fits=np.array([True, True]), **shown, **noise)
    put(root / "half/samples/fills", IMAGES, fits=np.array([False, True]), **shown, **noise)
    steps, ends = IMAGES[:40].reshape(5, 8, 1, 8, 8), IMAGES[40:50].reshape(5, 2, 1, 8, 8)
    put(root / "filler/samples/walks", IMAGES, walk=steps, ends=ends)
    put(root / "half/samples/walks", IMAGES, walk=steps, ends=ends, grid=IMAGES[:16].reshape(4, 4, 1, 8, 8))
    return read(root, MODELS)


@pytest.fixture
def points(tmp_path: Path) -> Report:
    root = tmp_path / "scores"
    fabricate(root, POINTS, MODELS)
    lines = np.random.default_rng(0).normal(size=(2, 21, 200, 2)).astype(np.float32)
    put(root / "filler/samples/walks", POINTS, lines=lines)
    return read(root, MODELS)


def test_the_table_has_the_models_that_fill_and_the_baselines_last(images: Report, tmp_path: Path) -> None:
    fragment = inpainting.render(images, tmp_path)
    (first, psnr), (second, ssim) = fragment.tables
    assert first == "" and second == "Structural similarity"
    assert psnr.headings == ("hole: PSNR ↑", "hole: PSNR, best ↑", "half: PSNR ↑", "half: PSNR, best ↑")
    assert len(ssim.headings) == 4 and all("SSIM" in heading for heading in ssim.headings)
    assert [row.model for row in psnr.rows] == ["filler", "half", "parzen"]
    assert psnr.rows[2].note == "baseline: nearest training image" and psnr.rows[0].note == ""
    assert [cell.text for cell in psnr.rows[1].cells] == ["n/a", "n/a", "2.12 ± 0.12", "2.12 ± 0.12"]
    assert psnr.rows[1].cells[2].mark == statistics.BEST and psnr.rows[0].cells[0].mark == statistics.BEST
    for name in fragment.files:
        text = (tmp_path / name).read_text()
        assert "parzen" in text and "gan" not in text
    assert set(fragment.files) == {
        f"inpainting_{measure}.{kind}" for measure in ("psnr", "ssim") for kind in ("md", "tex")
    }


def test_the_picture_has_a_draw_only_where_draws_differ(images: Report, tmp_path: Path) -> None:
    strips = inpainting.strips(images)
    assert [row.name for row in strips] == ["held-out", "damaged", "filler", "a draw", "half", "a draw", "parzen"]
    assert strips[4].there.tolist() == [False, True]
    inpainting.render(images, tmp_path)
    with Image.open(tmp_path / "inpainting.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    factor = inpainting.SHEET // (13 * 9 - 1)
    left, top = round(pictures.LETTER * len("held-out")) + 2 * pictures.EDGE, pictures.TITLE
    assert pixels.shape == (
        top + (7 * 9 - 1) * factor + pictures.EDGE,
        left + (13 * 9 - 1) * factor + pictures.EDGE,
    )
    small = pixels[top : -pictures.EDGE : factor, left : -pictures.EDGE : factor]
    expected = np.rint(images.fills["filler"].whole[1, 0] * 255.0 / 16)
    assert np.abs(small[:8, 9:17] - expected).max() <= 1, "held-out images, the second one of the first kind"
    assert (small[9:17, :8] == 0).all() and (small[9:17, 6 * 9 : 7 * 9 - 1] == 255).all(), "white between the kinds"
    assert (small[4 * 9 : 5 * 9, : 6 * 9] == 255).all(), "blank where a model does not fill such holes"


def test_walks_are_a_gallery_with_the_grids_at_its_end(images: Report, tmp_path: Path) -> None:
    fragment = latents.render(images, tmp_path)
    assert [picture.caption for picture in fragment.gallery] == ["filler", "half", "half, grid of codes"]
    assert all((tmp_path / picture.file).exists() for picture in fragment.gallery)
    assert "grid" in fragment.text
    walks = images.walks["half"]
    sheet = latents.lines(walks.walk, walks.ends, walks.levels)
    assert (
        sheet.shape == (5 * 9 - 1, 12 * 9 - 1, 3) and (sheet[:, 9:17] == 255).all() and (sheet[:, -17:-9] == 255).all()
    )
    first, last = images.walks["half"].ends[0, :, 0]
    for place, image in ((0, first), (11 * 9, last), (2 * 9, images.walks["half"].walk[0, 0, 0])):
        np.testing.assert_array_equal(sheet[:8, place : place + 8, 0], np.rint(image * 255.0 / 16))
    without = replace(images, walks={"filler": images.walks["filler"]})
    assert "grid" not in latents.render(without, empty(tmp_path / "other")).text


def test_codes_of_points_are_lines_in_the_plane(points: Report, tmp_path: Path) -> None:
    fragment = latents.render(points, tmp_path)
    assert [picture.file for picture in fragment.pictures] == ["latents.png"] and not fragment.gallery
    assert (tmp_path / "latents.png").stat().st_size < 200_000
    assert inpainting.render(points, tmp_path) is None


def test_sections_stay_out_where_there_is_nothing_to_show(tmp_path: Path) -> None:
    fabricate(tmp_path / "scores", IMAGES, MODELS)
    report = read(tmp_path / "scores", MODELS)
    assert report.fills == report.walks == {}
    assert inpainting.render(report, tmp_path) is latents.render(report, tmp_path) is None


def test_a_page_links_their_files(images: Report, tmp_path: Path) -> None:
    page.benchmark(images, empty(tmp_path / "page"), "../index.html")
    html = (tmp_path / "page/index.html").read_text()
    for name in ("inpainting.png", "inpainting_psnr.md", "latents/half_grid.png"):
        assert f'"{name}"' in html and (tmp_path / "page" / name).stat().st_size < 200_000


@pytest.mark.parametrize("folder", ["fills", "walks"])
def test_a_damaged_file_is_named_with_the_remedy(folder: str, images: Report, tmp_path: Path) -> None:
    path = tmp_path / "scores/filler/samples" / folder / "0.npz"
    np.savez(path, damage=np.array(DAMAGE), whole=IMAGES[:6], fits=np.ones(3), walk=IMAGES, levels=17)
    with pytest.raises(ValueError, match=rf"{folder}/0\.npz is damaged.*dvc repro benchmarks/made_up/dvc\.yaml"):
        read(tmp_path / "scores", MODELS)
