"""Files that people bring, each made small."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from made import levels
from PIL import Image
from torch import Tensor

GREY, COLOUR = levels(12, 0), levels(12, 0, 3)
Made = Callable[[Path], Path]


def array(x: Tensor | np.ndarray) -> Made:
    def make(folder: Path) -> Path:
        np.save(folder / "set.npy", np.asarray(x))
        return folder / "set.npy"

    return make


def arrays(**content: object) -> Made:
    def make(folder: Path) -> Path:
        np.savez_compressed(folder / "set.npz", **content)
        return folder / "set.npz"

    return make


def tensors(content: object, **options: bool) -> Made:
    def make(folder: Path) -> Path:
        torch.save(content, folder / "set.pt", **options)
        return folder / "set.pt"

    return make


def raw(name: str, content: bytes) -> Made:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def picture(x: Tensor) -> Image.Image:
    return Image.fromarray((x[0] if len(x) == 1 else x.movedim(0, 2)).contiguous().numpy())


def folder_of(x: Tensor, suffix: str = ".png", **options: object) -> Made:
    def make(folder: Path) -> Path:
        folder = folder / "pictures"
        folder.mkdir(exist_ok=True)
        for place, one in enumerate(x):
            picture(one).save(folder / f"{place:03}{suffix}", **options)
        return folder

    return make


def beside(name: str, content: bytes | None = None) -> Made:
    """A folder of all of GREY, with one further file, a picture where no content is given."""

    def make(folder: Path) -> Path:
        path = folder_of(GREY)(folder)
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(GREY[0]) if content is None else content)
        return path

    return make


def png(x: Tensor) -> bytes:
    buffer = io.BytesIO()
    picture(x).save(buffer, "PNG")
    return buffer.getvalue()


def of(**options: object) -> bytes:
    """A picture of a mode."""
    buffer = io.BytesIO()
    Image.new(str(options.get("mode", "L")), (8, 8)).save(buffer, str(options.get("form", "PNG")))
    return buffer.getvalue()


def deep_png(channels: int = 3) -> bytes:
    """16 bits a channel, as Pillow can't write it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 8, 8, 16, 2 if channels == 3 else 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(8 * 2 * channels)) * 8)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def huge_png() -> bytes:
    whole = bytearray(png(GREY[0]))
    whole[16:24] = struct.pack(">II", 60_000, 60_000)
    whole[29:33] = struct.pack(">I", zlib.crc32(bytes(whole[12:29])))
    return bytes(whole)


def linked(folder: Path) -> Path:
    """Half of the pictures lie in a linked folder, and a link leads back up."""
    path = folder_of(GREY[:6])(folder)
    (folder / "elsewhere").mkdir()
    for place, one in enumerate(GREY[6:]):
        picture(one).save(folder / "elsewhere" / f"{place}.png")
    os.symlink(folder / "elsewhere", path / "more")
    os.symlink(path, folder / "elsewhere" / "back")
    return path


def linked_inside(folder: Path) -> Path:
    """All of GREY; three and a whole subfolder of it are linked, too, and a folder from outside is linked twice."""
    path = folder_of(GREY[:6])(folder)
    for place, name in ((6, path / "sub"), (9, folder / "outside")):
        name.mkdir()
        for one in range(place, place + 3):
            (name / f"{one:02}.png").write_bytes(png(GREY[one]))
        os.symlink(name, path / f"t{name.name}")
    os.symlink(folder / "outside", path / "tt")
    for one in range(3):
        os.symlink(path / f"{one:03}.png", path / f"z{one}.png")
    return path


def dangling(folder: Path) -> Path:
    path = folder_of(GREY)(folder)
    os.symlink(folder / "gone.png", path / "b.png")
    return path


def unlike(n: int, side: int) -> Made:
    """A picture of 8 x 8, and then n of another size."""

    def make(folder: Path) -> Path:
        path = folder_of(GREY[:1])(folder)
        for place in range(n):
            (path / f"b{place}.png").write_bytes(png(torch.zeros(1, side, side, dtype=torch.uint8)))
        return path

    return make


def named_like_a_picture(folder: Path) -> Path:
    path = folder_of(GREY[:11])(folder)
    (path / "a.png").mkdir()
    (path / "a.png" / "0.png").write_bytes(png(GREY[11]))
    return path


def turned(folder: Path) -> Path:
    """Each is stored on its side, or head down, and says so."""
    path = folder / "turned"
    path.mkdir()
    ways = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    for place, one in enumerate(GREY):
        tag = [3, 6, 8][place % 3]
        exif = Image.Exif()
        exif[0x0112] = tag
        picture(one).transpose(ways[tag]).save(path / f"{place:03}.png", exif=exif)
    return path


def several(folder: Path) -> Path:
    first, *others = (picture(one) for one in GREY[:3])
    first.save(folder / "a.tif", save_all=True, append_images=others)
    return folder


def bomb(size: int) -> bytes:
    """An .npz of so many zeros, whose headers tell the truth, packed a thousandfold without being made first."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (size // 64, 1, 8, 8)})
    squeeze = zlib.compressobj(9, wbits=-15)
    first = squeeze.compress(head.getvalue()) + squeeze.flush(zlib.Z_FULL_FLUSH)
    again = squeeze.compress(bytes(2**20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x.npy", first + again * (size // 2**20) + b"\3\0")
    content, central = bytearray(buffer.getvalue()), buffer.getvalue().rindex(b"PK\1\2")
    for method, unpacked in ((8, 22), (central + 10, central + 24)):
        content[method : method + 2] = struct.pack("<H", zipfile.ZIP_DEFLATED)
        content[unpacked : unpacked + 4] = struct.pack("<I", size + len(head.getvalue()))
    return bytes(content)


def of_shape(*shape: int) -> bytes:
    """An .npz of zeros of that shape, as its header says."""
    head, buffer = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x.npy", head.getvalue() + bytes(256))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=GREY)
    return buffer.getvalue()


def long_header() -> bytes:
    """A .npy whose header is said to be 4 GB."""
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{"


def repacked(compressed: bool) -> Made:
    def make(folder: Path) -> Path:
        source = tensors({"x": torch.zeros(64, 1, 8, 8, dtype=torch.uint8)})(folder)
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(folder / "bomb.pt", "w") as new:
            for name in old.namelist():
                new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
        return folder / "bomb.pt"

    return make


def scaled(low: float, high: float, n: int = 12) -> np.ndarray:
    """GREY as floats from low to high."""
    return (low + (high - low) * (GREY[:n].numpy() / 255.0)).astype(np.float32)


def with_one(x: Any, value: float) -> Any:
    """The darkest is a little off."""
    x = x.reshape(-1) + 0
    x[x.argmin()] = value
    return x.reshape(12, 1, 8, 8)


def beside_only(folder: Path) -> Path:
    (folder / "only").mkdir()
    (folder / "only" / "._a.png").write_bytes(b"x")
    return folder / "only"
