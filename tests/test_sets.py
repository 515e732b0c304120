"""Sets that a user brings: the same numbers from every format, a line for a bad one; what we export is read back."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import as_input, levels, points
from PIL import Image
from torch import Tensor

from pipeline.tools import export, sets


def written(folder: Path, x: Tensor, form: str) -> Path:
    """The images in one of the forms that are read."""
    folder.mkdir(exist_ok=True)
    if form in ("png", "jpg"):
        for place, pixels in enumerate(x.movedim(1, 3).squeeze(3).numpy()):
            Image.fromarray(pixels).save(folder / f"{place:03}.{form}")
        return folder
    ours, last = {"x": x.numpy(), "levels": 256}, x.movedim(1, 3).contiguous()
    arrays = {
        "ours.npz": ours,
        "arr.npz": {"arr_0": last.numpy(), "mu": np.zeros(3)},
        "only.npz": {"images": x.numpy()},
    }
    path = folder / form
    if form in arrays:
        np.savez(path, **arrays[form])
    elif form.endswith(".npy"):
        np.save(path, x.float().div(127.5).sub(1).numpy() if form == "float.npy" else last.numpy().astype(np.int32))
    else:
        torch.save({"x": x, "levels": 256} if form == "dict.pt" else x, path)
    return path


@pytest.mark.parametrize(
    "form", ["png", "ours.npz", "arr.npz", "only.npz", "float.npy", "int.npy", "dict.pt", "one.pt"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_format_is_the_same_set(form: str, channels: int, tmp_path: Path) -> None:
    x = levels(30, 0, channels)
    found = sets.read(written(tmp_path / "set", x, form)).x
    assert found.dtype == torch.float32
    assert torch.allclose(found, as_input(x), atol=1e-6)


def test_levels_and_labels_of_our_samples_are_read(tmp_path: Path) -> None:
    x = levels(30, 0, top=17)
    np.savez(tmp_path / "0.npz", x=x, levels=17, label=np.arange(30) % 10)
    found = sets.read(tmp_path / "0.npz")
    assert torch.equal(found.x, as_input(x, 17))
    assert found.label.tolist() == [*range(10)] * 3


def test_pictures_of_jpeg_and_in_subfolders_are_read(tmp_path: Path) -> None:
    smooth = torch.full((4, 1, 8, 8), 90, dtype=torch.uint8)
    written(tmp_path / "a", smooth[:2], "jpg")
    written(tmp_path / "b", smooth[2:], "png")
    assert torch.allclose(sets.read(tmp_path).x, torch.tensor(2 * 90 / 255 - 1), atol=0.02)


def test_points_keep_their_precision(tmp_path: Path) -> None:
    for dtype, kept in ((np.float64, torch.float64), (np.float32, torch.float32), (np.int16, torch.float32)):
        np.save(tmp_path / "x.npy", points(9, 0).numpy().astype(dtype))
        assert sets.read(tmp_path / "x.npy").x.dtype == kept


def zip_with(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.npy", None, "there is no such file"),
        ("set.csv", b"1,2", "give a folder of pictures, or a file that ends in .npz, .npy, .pt"),
        ("empty.npy", b"", "is an empty file"),
        ("noise.npz", b"PK\x03\x04 and so on", "can't be read as arrays of numbers"),
        ("inside.npz", zip_with(x=b"not an array"), "can't be read as arrays of numbers"),
        ("noise.pt", b"\x80\x02}", "can't be read as arrays of numbers"),
        ("text.npy", np.array(["a"]), "holds <U1 where it should be numbers"),
        ("complex.npy", np.zeros((4, 2), complex), "holds complex128 where it should be numbers"),
        ("line.npy", np.zeros(5), "has the shape (5,): give points (N, D) or images (N, C, H, W)"),
        ("none.npy", np.zeros((0, 2)), "is empty: its shape is (0, 2)"),
        ("nan.npy", np.array([[1, np.nan], [0, 1]]), "is not finite (NaN or infinite) in 1 of 2 samples"),
        ("nan4.npy", np.full((2, 1, 8, 8), np.inf), "is not finite (NaN or infinite) in 2 of 2 samples"),
        ("wide.npy", np.linspace(-3, 3, 512).reshape(8, 1, 8, 8), "has images in [-3, 3]: give floats in [-1, 1]"),
        (
            "unit.npy",
            np.linspace(0, 1, 512).reshape(8, 1, 8, 8),
            "has images in [0, 1], which may be of [0, 1] or of [-1, 1]",
        ),
        ("large.npy", np.full((2, 8, 8), 300), "has images in [300, 300]: give integers in 0..255"),
        ("two.npy", np.zeros((4, 2, 8, 8), np.uint8), "images of the shape (2, 8, 8): give 1 channel (grey) or 3"),
        ("names.npz", {"a": np.zeros(2), "b": np.zeros(2)}, "holds a, b: call the array of the samples x"),
        (
            "level.npz",
            {"x": np.full((4, 8, 8), 20), "levels": 17},
            "beyond 0 to 16 (levels = 17): give integers in 0..16",
        ),
        ("levels.npz", {"x": np.zeros((4, 8, 8), int), "levels": 1}, "has levels = 1: give one number from 2 to 256"),
        ("label.npz", {"x": np.zeros((4, 2)), "label": [1, 2]}, "has labels of the shape (2,): give 4 class numbers"),
    ],
)
def test_an_unfit_file_is_named_in_one_line(name: str, content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(ValueError) as error:
        sets.read(path)
    assert f"{path}" in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(
        ValueError,
        match=r"holds no picture that ends in \.png.* that are no pictures left out: 1 \.txt",
    ):
        sets.read(tmp_path)


@pytest.mark.parametrize(
    ("mode", "size", "message"),
    [
        ("L", (9, 8), r"b\.png has the shape \(1, 8, 9\) and not \(1, 8, 8\) like a\.png: give pictures of one size"),
        ("RGB", (8, 8), r"b\.png has the shape \(3, 8, 8\) and not \(1, 8, 8\)"),
        ("RGBA", (8, 8), r"b\.png is a picture of mode RGBA: save it as L \(grey\) or RGB"),
        ("I;16", (8, 8), r"b\.png is a picture of mode I;16"),
    ],
)
def test_unlike_pictures_are_named(mode: str, size: tuple[int, int], message: str, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    Image.new(mode, size).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=message):
        _ = sets.read(tmp_path).x
    Image.new("P", (8, 8)).save(tmp_path / "c.png")  # which is not looked at any more
    with pytest.raises(ValueError, match=message):
        sets.read(tmp_path, mixed=False)


@pytest.mark.parametrize("kept", [0, 0.2, 0.6, -1])
def test_broken_pictures_are_named(kept: float, tmp_path: Path) -> None:
    file = written(tmp_path, levels(1, 0), "png") / "000.png"
    whole = file.read_bytes()
    file.write_bytes(b"GIF89a" if kept < 0 else whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"000\.png is no whole picture of its kind"):
        sets.read(tmp_path)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("form", ["png", "npz"])
def test_what_is_exported_is_read_back(form: str, channels: int, tmp_path: Path) -> None:
    for top in (2, 17, 256):
        x = levels(30, 0, channels, top)
        export.export(x, top, tmp_path / str(top), form)
        found = sets.read(tmp_path / str(top) / ("samples.npz" if form == "npz" else "")).x
        assert torch.equal(((found + 1) / 2 * (top - 1)).round().to(torch.uint8), x)


def test_exported_points_are_exact(tmp_path: Path) -> None:
    x = points(30, 0)
    export.export(x, 0, tmp_path / "new", "npz")
    assert torch.equal(sets.read(tmp_path / "new/samples.npz").x, x)
    with pytest.raises(ValueError, match="not empty: choose a new folder"):
        export.export(x, 0, tmp_path / "new", "npz")
    with pytest.raises(ValueError, match=r"shape \(2,\) are no pictures: use --format npz"):
        export.export(x, 0, tmp_path / "other", "png")
    assert not (tmp_path / "other").exists()
