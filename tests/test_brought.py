"""Files that people bring: each is read as the right numbers, or refused in one line that says what is the matter."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from brought import (
    COLOUR,
    GREY,
    Made,
    array,
    arrays,
    beside,
    beside_only,
    bomb,
    dangling,
    deep_png,
    folder_of,
    huge_png,
    linked,
    linked_inside,
    long_header,
    named_like_a_picture,
    of,
    of_shape,
    raw,
    repacked,
    scaled,
    several,
    tensors,
    turned,
    unlike,
    with_one,
    zipped,
)
from made import as_input, points
from torch import Tensor

from benchmarks.datasets.common import room
from pipeline.tools import reference, sets
from pipeline.tools.ranges import Range

ROOT = Path(__file__).parents[1]
FLAT = torch.arange(0, 250, 25, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)  # as JPEG keeps it
ZEROS = np.zeros(65 * 2**20, np.uint8)
UNIT = Range(0, 1, "stated")
SIGNED = Range(-1, 1, "stated")
BYTES = Range(0, 255, "stated")
READ: dict[str, tuple[Made, Range | None, Tensor]] = {
    "grey png": (folder_of(GREY), None, as_input(GREY)),
    "colour png": (folder_of(COLOUR), None, as_input(COLOUR)),
    "webp": (folder_of(COLOUR, ".webp", lossless=True), None, as_input(COLOUR)),
    "bmp": (folder_of(GREY, ".bmp"), None, as_input(GREY)),
    "colour bmp": (folder_of(COLOUR, ".bmp"), None, as_input(COLOUR)),
    "tif": (folder_of(GREY, ".tif"), None, as_input(GREY)),
    "tiff": (folder_of(COLOUR, ".tiff", compression="tiff_lzw"), None, as_input(COLOUR)),
    "jfif": (folder_of(FLAT, ".jfif", format="JPEG"), None, as_input(FLAT)),
    "jpe": (folder_of(FLAT, ".jpe", format="JPEG"), None, as_input(FLAT)),
    "suffix in capitals": (folder_of(GREY, ".PNG"), None, as_input(GREY)),
    "._x.png of a Mac": (beside("._000.png", b"\0\5\x16\7"), None, as_input(GREY)),
    "__MACOSX": (beside("__MACOSX/._000.png", b"\0\5\x16\7"), None, as_input(GREY)),
    "whole copies in __MACOSX": (beside("__MACOSX/000.png"), None, as_input(GREY)),
    ".ipynb_checkpoints": (beside(".ipynb_checkpoints/000-checkpoint.png"), None, as_input(GREY)),
    ".DS_Store": (beside(".DS_Store", b"x"), None, as_input(GREY)),
    "thumbnails of a NAS": (beside("@eaDir/000.png/SYNOPHOTO_THUMB_M.jpg"), None, as_input(GREY)),
    "a list beside": (beside("labels.csv", b"0,1"), None, as_input(GREY)),
    "folder named a.png": (named_like_a_picture, None, as_input(GREY)),
    "linked subfolder": (linked, None, as_input(GREY)),
    "linked twice": (linked_inside, None, as_input(GREY)),
    "turned by EXIF": (turned, None, as_input(GREY)),
    "a bit a pixel": (
        folder_of((GREY > 127).to(torch.uint8) * 255),
        None,
        as_input((GREY > 127).to(torch.uint8) * 255),
    ),
    "uint8 npy": (array(GREY), None, as_input(GREY)),
    "int64 npy": (array(GREY.long()), None, as_input(GREY)),
    "big-endian int npy": (array(GREY.numpy().astype(">i4")), None, as_input(GREY)),
    "big-endian float npy": (array(scaled(-1, 1).astype(">f8")), None, as_input(GREY)),
    "float16 npy": (array(scaled(-1, 1).astype(np.float16)), None, as_input(GREY)),
    "bool npy": (array(GREY.numpy() > 127), None, (GREY > 127) * 2.0 - 1),
    "fortran order npy": (array(np.asfortranarray(GREY.numpy())), None, as_input(GREY)),
    "N H W npy": (array(GREY[:, 0]), None, as_input(GREY)),
    "N 1 H 3 npy": (array(GREY[..., :3]), None, as_input(GREY[..., :3])),
    "N H W C npy": (array(COLOUR.movedim(1, 3).contiguous()), None, as_input(COLOUR)),
    "uint16 npy": (array(GREY.numpy().astype(np.uint16) * 257), Range(0, 65535, "stated"), as_input(GREY)),
    "floats to 1 stated": (array(scaled(0, 1)), UNIT, as_input(GREY)),
    "floats to 1, one -1e-6, stated": (array(with_one(scaled(0, 1), -1e-6)), UNIT, with_one(as_input(GREY), -1 - 2e-6)),
    "floats from -2 to 3 stated": (array(scaled(-2, 3)), Range(-2, 3, "stated"), as_input(GREY)),
    "floats to 1 in an npz stated": (arrays(x=scaled(0, 1)), UNIT, as_input(GREY)),
    "floats from -2 to 3 in an npz stated": (arrays(x=scaled(-2, 3)), Range(-2, 3, "stated"), as_input(GREY)),
    "floats to 1 in a pt stated": (tensors(torch.from_numpy(scaled(0, 1))), UNIT, as_input(GREY)),
    "floats to 255 stated": (array(scaled(0, 255)), BYTES, as_input(GREY)),
    "0/1 integers stated": (array((GREY > 127).long()), UNIT, (GREY > 127) * 2.0 - 1),
    "0/1 integers stated as bytes": (array((GREY > 127).long()), BYTES, (GREY > 127) * 2 / 255 - 1),
    "collapsed in .86 to .94 stated": (array(scaled(0.86, 0.94)), SIGNED, 0.86 + 0.08 * (as_input(GREY) + 1) / 2),
    "-1 and 1 integers stated": (array((GREY > 127).long() * 2 - 1), SIGNED, (GREY > 127) * 2.0 - 1),
    "bytes beside floats to 1": (array(GREY), UNIT, as_input(GREY)),
    "all black": (array(np.zeros((4, 8, 8), np.uint8)), None, torch.full((4, 1, 8, 8), -1.0)),
    "npz by savez": (arrays(arr_0=GREY.numpy()), None, as_input(GREY)),
    "npz, levels said": (arrays(x=GREY.numpy() // 16, levels=16), None, as_input(GREY // 16, 16)),
    "npz, big-endian": (arrays(x=GREY.numpy().astype(">i2")), None, as_input(GREY)),
    "pt": (tensors(GREY), None, as_input(GREY)),
    "bool pt": (tensors(GREY > 127), None, (GREY > 127) * 2.0 - 1),
    "old form pt": (tensors(GREY, _use_new_zipfile_serialization=False), None, as_input(GREY)),
    "tuple pt of x and label": (tensors((GREY, torch.arange(12))), None, as_input(GREY)),
    "tuple pt of one": (tensors((GREY,)), None, as_input(GREY)),
    "list pt of samples": (tensors(list(GREY)), None, as_input(GREY)),
    "bfloat16 pt": (tensors(as_input(GREY).bfloat16()), None, as_input(GREY)),
    "pt that learns": (tensors(torch.nn.Parameter(as_input(GREY))), None, as_input(GREY)),
    "repeats in a pt": (tensors(GREY[:1].expand(12, -1, -1, -1)), None, as_input(GREY[:1].expand(12, -1, -1, -1))),
    "points": (array(points(9, 0).numpy()), None, points(9, 0)),
    "big-endian points": (array(points(9, 0).double().numpy().astype(">f8")), None, points(9, 0).double()),
    "bool points": (array(points(9, 0).numpy() > 0), None, (points(9, 0) > 0).float()),
}


@pytest.mark.parametrize("name", READ)
def test_a_brought_file_is_read_as_the_right_numbers(name: str, tmp_path: Path) -> None:
    make, stated, expected = READ[name]
    path = make(tmp_path)
    found = sets.read(path, stated)
    assert found.x.shape == expected.shape
    tolerance = 0.005 if "float16" in name else 2e-6  # half floats are coarse
    for _ in range(2):  # what is read once stays as it is
        torch.testing.assert_close(found.x, expected, atol=tolerance, rtol=0)
        torch.testing.assert_close(torch.cat([x for _, x in found.parts()]), expected, atol=tolerance, rtol=0)
    if expected.dim() == 4 and expected.shape[2] == expected.shape[3]:
        torch.testing.assert_close(sets.read(path, stated, size=8).x, expected, atol=1 / 127, rtol=0)


BAD: dict[str, tuple[Made, Range | None, str]] = {
    "floats to 1": (array(scaled(0, 1)), None, "may be of [0, 1] or of [-1, 1]: give --range 0 1 or --range -1 1"),
    "floats to 1, one -1e-6": (array(with_one(scaled(0, 1), -1e-6)), None, "give --range 0 1 or --range -1 1"),
    "floats to 1, one -.9": (array(with_one(scaled(0, 1), -0.9)), None, "give --range 0 1 or --range -1 1"),
    "collapsed in .86 to .94": (array(scaled(0.86, 0.94)), None, "give --range 0 1 or --range -1 1"),
    "floats about 0": (array(scaled(-0.5, 0.5)), None, "give --range 0 1 or --range -1 1"),
    "floats to 255": (array(scaled(0, 255)), None, "or --range 0 255"),
    "normalised floats": (array(scaled(-2.1, 2.6)), None, "or --range LOW HIGH with their black and white"),
    "0/1 integers": (array((GREY > 127).long()), None, "give --range 0 255 or, for example, --range 0 1"),
    "4-bit integers": (array(GREY // 16), None, "give --range 0 255 or, for example, --range 0 15"),
    "integers to 16": (array(GREY.numpy() // 16 + 1), None, "which may be of 0..255 and nearly black"),
    "uint16": (array(GREY.numpy().astype(np.uint16) * 257), None, "or --range LOW HIGH with their black and white"),
    "-1 and 1 integers": (array((GREY > 127).long() * 2 - 1), None, "--range LOW HIGH with their black and white"),
    "beyond the stated": (array(scaled(-1, 1)), UNIT, "in [-1, 1], beyond 0 to 1 (stated): give --range LOW HIGH"),
    "range of points": (array(points(9, 0).numpy()), UNIT, "which have no range and no size"),
    "48-bit png": (
        beside("b.png", deep_png()),
        None,
        "b.png is a picture of mode RGB, 16 bits a channel: save it as L",
    ),
    "16-bit grey png": (beside("b.png", deep_png(1)), None, "b.png is a picture of mode I;16"),
    "png with alpha": (beside("b.png", of(mode="RGBA")), None, "mode RGBA: save it as L (grey) or RGB"),
    "palette png": (beside("b.png", of(mode="P")), None, "mode P: save it as L (grey) or RGB"),
    "cmyk jpeg": (beside("b.jpg", of(mode="CMYK", form="JPEG")), None, "mode CMYK"),
    "gif": (beside("b.gif", of(form="GIF")), None, "b.gif is a picture of a kind that is not read: save it as .png"),
    "heic": (beside("b.heic", b"x"), None, "b.heic is a picture of a kind that is not read"),
    "apng": (beside("b.apng", b"x"), None, "b.apng is a picture of a kind that is not read"),
    "exr": (beside("b.exr", b"x"), None, "b.exr is a picture of a kind that is not read"),
    "ico": (beside("b.ico", b"x"), None, "b.ico is a picture of a kind that is not read"),
    "pnm": (beside("b.pnm", b"x"), None, "b.pnm is a picture of a kind that is not read"),
    "gif called png": (beside("b.png", of(form="GIF")), None, "b.png is no whole picture of its kind"),
    "empty png": (beside("b.png", b""), None, "b.png is no whole picture of its kind"),
    "broken link": (dangling, None, "b.png is a link that leads nowhere"),
    "png of 3.6 billion pixels": (beside("b.png", huge_png()), None, "b.png would unpack to more pixels"),
    "several in a tif": (several, None, "a.tif holds 3 pictures: save each in a file of its own"),
    "hidden only": (beside_only, None, "holds no picture that ends in .png"),
    "object npy": (array(np.array([{}], dtype=object)), None, "what is pickled is never executed"),
    "strings": (array(np.array(["a"])), None, "holds <U1 where it should be numbers"),
    "complex": (array(np.zeros((4, 2), complex)), None, "holds complex128 where it should be numbers"),
    "times": (array(np.zeros((4, 2), "M8[s]")), None, "where it should be numbers: give integers, booleans or floats"),
    "records": (array(np.zeros(4, [("a", int)])), None, "where it should be numbers"),
    "empty file": (raw("set.npy", b""), None, "is an empty file"),
    "endless header": (raw("set.npy", long_header()), None, "can't be read as arrays of numbers"),
    "text called npy": (raw("set.npy", b"1 2 3\n" * 9), None, "can't be read as arrays of numbers"),
    "npz called npy": (raw("set.npy", zipped()), None, "can't be read as arrays of numbers"),
    "moments": (arrays(mu=np.zeros(3), sigma=np.eye(3)), None, "holds mu and sigma, moments that another tool saved"),
    "weights": (tensors({"a.weight": GREY, "a.bias": GREY}), None, "call the array of the samples x"),
    "tuple of strange things": (tensors(("a", 1)), None, "holds a tuple of str, int: give one tensor"),
    "list of unequal ones": (tensors([GREY, COLOUR, GREY[0]]), None, "holds tensors of the shapes (12, 1, 8, 8)"),
    "sparse pt": (tensors(torch.eye(3).to_sparse()), None, "torch.sparse_coo: give integers, booleans or floats"),
    "complex pt": (tensors(torch.zeros(3, 2, dtype=torch.complex64)), None, "torch.complex64: give integers"),
    "whole model in a pt": (tensors(torch.nn.Linear(2, 2)), None, "what is pickled is never executed"),
    "repeats beyond memory": (tensors(torch.zeros(1, 1).expand(2**40, 4)), None, "more than half of the"),
    "compressed pt": (repacked(True), None, "is compressed, as torch.save compresses nothing: nothing was unpacked"),
    "one channel too many": (array(np.zeros((4, 4, 8, 8), np.uint8)), None, "give 1 channel (grey) or 3 (colour)"),
    "one colour image": (array(COLOUR[0].movedim(0, 2)), None, "may be one image: give it as (1, 8, 8, 3), or 8 grey"),
    "one grey image": (array(GREY[0].movedim(0, 2)), None, "give it as (1, 8, 8, 1), or 8 grey ones as (8, 1, 8, 1)"),
    "levels of many": (
        arrays(x=GREY.numpy(), levels=np.zeros(9)),
        None,
        "has levels of the shape (9,): give one number",
    ),
    "negative shape": (raw("set.npz", of_shape(-4, 1, 8, 8)), None, "says that x has the shape (-4, 1, 8, 8)"),
    "list pt of repeats": (tensors([torch.zeros(1, 1).expand(2**32, 1)] * 64), None, "more than half of the"),
    "one-dimensional": (array(np.zeros(5)), None, "give points (N, D) or images (N, C, H, W)"),
    "csv": (raw("set.csv", b"1,2"), None, "give a folder of pictures, or a file that ends in .npz, .npy, .pt"),
    "nothing": (lambda folder: folder / "none.npz", None, "there is no such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_brought_file_that_is_not_read_says_why(name: str, tmp_path: Path) -> None:
    make, stated, message = BAD[name]
    path = make(tmp_path)
    with pytest.raises(ValueError) as error:
        sets.read(path, stated)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert ("never executed" in str(error.value)) == ("never executed" in message)


def test_there_are_enough_of_them() -> None:
    assert len(READ) + len(BAD) >= 60


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (beside("._000.png", b"x"), "1 hidden file left out"),
        (beside("__MACOSX/a/b.png", b"x"), "1 hidden file left out"),
        (beside("labels.csv", b"x"), "files that are no pictures left out: 1 .csv"),
        (beside("@eaDir/a.jpg", b"x"), "1 hidden file left out"),
        (linked_inside, "9 pictures left out that a link shows again"),
        (folder_of((GREY > 127).to(torch.uint8)), "nearly black: are they masks?"),
    ],
)
def test_what_is_left_out_is_said(make: Made, note: str, tmp_path: Path) -> None:
    assert any(note in said for said in sets.read(make(tmp_path)).notes)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """4 MB that hold 3.9 GiB of zeros; a small one of the kind is read."""
    path = raw("small.npz", bomb(2**20))(tmp_path)
    with pytest.raises(ValueError, match=r"small\.npz can't be read"):  # its checksum is not that of zeros
        sets.read(path)
    path = raw("bomb.npz", bomb(3993 * 2**20))(tmp_path)
    assert path.stat().st_size < 5 * 10**6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"bomb\.npz unpacks 3\.\d MiB to 3\.9 GiB, .* nothing was unpacked") as error:
        sets.read(path)
    assert "\n" not in str(error.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 2**10  # KiB


BOMBS: dict[str, dict[str, Any]] = {
    "label": {"x": np.zeros((9, 8, 8), np.uint8), "label": ZEROS},
    "levels": {"x": np.zeros((9, 8, 8), np.uint8), "levels": ZEROS},
    "reference": {"extractor": np.zeros(9, np.uint8), "shape": [2], "seen_features": ZEROS, "seen_labels": ZEROS},
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_arrays_take_together_is_known_before_one_is_unpacked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros in 65 MiB and more; what nobody asks for is never looked at."""
    monkeypatch.setattr(np.lib.format, "read_array", None)
    read = reference.load if name == "reference" else sets.read
    with pytest.raises(
        ValueError, match=r"set\.npz unpacks 0\.\d MiB to 0\.1 GiB, .* nothing was unpacked; store it by"
    ):
        read(arrays(**BOMBS[name])(tmp_path))
    monkeypatch.undo()
    few = {"x": GREY.numpy(), "extractor": [0], "shape": [1, 8, 8], "seen_": ZEROS, "seen_more": ZEROS, "other": ZEROS}
    path = arrays(**few)(tmp_path)
    assert len(sets.read(path)) == 12
    with pytest.raises(ValueError, match=r"set\.npz is no whole reference"):
        reference.load(path)


@pytest.mark.parametrize(
    ("make", "size", "message"),
    [
        (unlike(4, 90), None, r"pictures: what is not of 000\.png's shape, up to b2\.png, takes"),
        (array(GREY), 300, r"set\.npy: of 300 x 300 pixels, all of its 12 images takes .*: choose a smaller --size"),
    ],
)
def test_memory_is_asked_for_before_it_is_taken(
    make: Made, size: int | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path)
    assert len(sets.read(path, size=size)) > 0
    monkeypatch.setattr(room.psutil, "virtual_memory", lambda: SimpleNamespace(available=40_000))
    with pytest.raises(ValueError, match=message):
        sets.read(path, size=size)


def test_a_file_is_not_believed_beyond_what_it_holds(tmp_path: Path) -> None:
    np.save(tmp_path / "cut.npy", GREY.numpy())
    whole = (tmp_path / "cut.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:500])
    with pytest.raises(ValueError, match=r"cut\.npy says that it holds 768 bytes of numbers and is cut off after 500"):
        sets.read(tmp_path / "cut.npy")


MEASURED = """
import resource, sys
from pathlib import Path
import torch
from benchmarks import inception
from pipeline.tools import score
torch.set_num_threads(1)
score.asked(None)  # which imports all metrics

def see(x):
    features = torch.stack([x.mean((1, 2, 3)), x.square().mean((1, 2, 3))], dim=1)
    return features, features.softmax(dim=1)

inception.extractor = lambda device: see
torch.nn.functional.silu(torch.zeros(128, 3, 64, 64)).double().mean()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = score.score({"real": Path(sys.argv[1]), "fake": Path(sys.argv[2])}, "inception", ["fid"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, result.values[0][1])
"""


def test_pictures_are_never_whole_in_float32(tmp_path: Path) -> None:
    """Two sets of 4,000 images take at most twice their bytes; one of them in float32 would be four times its own."""
    x = torch.randint(0, 256, (4000, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    np.savez(tmp_path / "real.npz", x=x.numpy())
    np.save(tmp_path / "fake.npy", x.flip(0).numpy().astype(np.uint8))
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "real.npz"), str(tmp_path / "fake.npy")]
    environment = {**os.environ, "BENCHMARK_DEVICE": "cpu"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    grown, value = done.stdout.split()
    size = 2 * x.numel()
    assert int(grown) * 1024 < 2 * size < size + 4 * x.numel()
    assert float(value) == pytest.approx(0, abs=1e-9)  # the same pictures in another order
