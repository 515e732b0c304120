"""Arrays of numbers in files .npz, .npy and .pt that anybody made.

The files are not trusted: nothing that is pickled in them is executed, and how large their arrays are is read from
headers before anything is unpacked. A .npy file and a .pt file are mapped, so that only what is looked at is read.
"""

import io
import pickle
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.datasets.common.room import Unreadable, check_room

SUFFIXES = (".npz", ".npy", ".pt")
NAMES = ("x", "arr_0")  # of the samples, in a file of several arrays: ours and numpy's own
HEADER = 2**16  # bytes that an array's header may have
SUSPICIOUS = 2**26, 100  # bytes of arrays, and times what their file has: a bomb, or numbers all alike


def stored(path: Path) -> dict[str, Tensor]:
    """Of a file's arrays the samples, called `x`, and `levels` and `label` where there are any."""
    with _said_of(path), warnings.catch_warnings(action="ignore"):  # torch's, of strange pickles; numpy's, of old files
        if path.stat().st_size == 0:
            raise Unreadable("is an empty file")
        read = {".npz": _npz, ".npy": _npy, ".pt": _pt}[path.suffix.lower()]
        return read(path)


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """Every error is a ValueError in one line that names the file."""
    try:
        yield
    except Unreadable as error:
        raise ValueError(f"{path} {error}") from error
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds pickled objects: what is pickled is never executed; store tensors") from error
    except Exception as error:  # zip, header, memory, type: many errors for one and the same fact
        raise ValueError(f"{path} can't be read as arrays of numbers ({type(error).__name__})") from error


def _npy(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        size = _size("it", file)
    if size > path.stat().st_size:
        raise Unreadable(f"says that it holds {size:,} bytes of numbers and is cut off after {path.stat().st_size:,}")
    return {"x": _tensor(np.load(path, mmap_mode="r", allow_pickle=False))}


def _npz(path: Path) -> dict[str, Tensor]:
    with zipfile.ZipFile(path) as file:
        names = {name.removesuffix(".npy"): name for name in file.namelist()}
        wanted = _wanted(list(names))
        return _unpacked(path, file, {key: names[name] for key, name in wanted.items()})


def _unpacked(path: Path, file: zipfile.ZipFile, members: Mapping[str, str]) -> dict[str, Tensor]:
    """The arrays of members, by keys; nothing is unpacked before the headers of all have said how large they are."""
    size = 0
    for name in members.values():
        with file.open(name) as member:
            size += _size(name.removesuffix(".npy"), member)
    packed = path.stat().st_size
    least, times = SUSPICIOUS
    if size > max(least, times * packed):
        raise Unreadable(
            f"unpacks {packed / 2**20:,.1f} MiB to {size / 2**30:,.1f} GiB, more than {times} times as much: nothing "
            "was unpacked; store it by np.savez, which packs nothing, if that is meant"
        )
    check_room("unpacked, it", size)
    found = {}
    for key, name in members.items():
        with file.open(name) as member:
            found[key] = _tensor(np.lib.format.read_array(member, allow_pickle=False))
    return found


def _size(what: str, file: IO[bytes]) -> int:
    """Bytes of an array, by its header alone."""
    head = io.BytesIO(file.read(HEADER))
    version = np.lib.format.read_magic(head)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(head)
    _check_type(what, dtype)
    if any(side < 0 for side in shape):
        raise Unreadable(f"says that {what} has the shape {shape}: save it anew")
    return prod(shape) * dtype.itemsize


def _check_type(what: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise Unreadable("holds Python objects, which are pickled: what is pickled is never executed; store numbers")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise Unreadable(f"holds {dtype} where {what} should be numbers: give integers, booleans or floats")


def _pt(path: Path) -> dict[str, Tensor]:
    if zipped := zipfile.is_zipfile(path):
        _check_plain(path)
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    if isinstance(content, Mapping):
        wanted = _wanted([str(name) for name in content])
        return {key: _tensor(content[name]) for key, name in wanted.items()}
    if isinstance(content, tuple | list):
        return _sequence(content)
    return {"x": _tensor(content)}


def _check_plain(path: Path) -> None:
    """Raise for a zip of a .pt that torch did not write: its tensors are not compressed, and none is there twice."""
    with zipfile.ZipFile(path) as file:
        members = file.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise Unreadable("is compressed, as torch.save compresses nothing: nothing was unpacked; save it anew")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise Unreadable("holds parts that are larger than the file: nothing was unpacked; save it anew")


def _sequence(content: Sequence[Any]) -> dict[str, Tensor]:
    """(x, label), or samples one by one."""
    if not content or not all(isinstance(part, Tensor) for part in content):
        kinds = ", ".join(dict.fromkeys(type(part).__name__ for part in content)) or "nothing"
        raise Unreadable(f"holds a {type(content).__name__} of {kinds}: give one tensor, or a dictionary with x")
    first, *others = content
    if not others:
        return {"x": _tensor(first)}
    if len(others) == 1 and first.dim() > 1 and others[0].shape == first.shape[:1]:
        return {"x": _tensor(first), "label": _tensor(others[0])}
    if any(other.shape != first.shape for other in others):
        shapes = ", ".join(str(tuple(part.shape)) for part in content[:3])
        raise Unreadable(f"holds tensors of the shapes {shapes}: give one tensor, or a dictionary with x")
    check_room("as one tensor, it", len(content) * first.numel() * first.element_size())
    return {"x": _tensor(torch.stack(list(content)))}


def _wanted(names: list[str]) -> dict[str, str]:
    """What is read of a file of several arrays: our name -> its name."""
    if {"mu", "sigma"} <= set(names) and not set(NAMES) & set(names):
        raise Unreadable("holds mu and sigma, moments that another tool saved: give its samples, which most need")
    samples = next((name for name in NAMES if name in names), names[0] if len(names) == 1 else None)
    if samples is None:
        raise Unreadable(f"holds {', '.join(names[:9]) or 'nothing'}: call the array of the samples x")
    return {"x": samples} | {name: name for name in ("levels", "label") if name in names and name != samples}


def _tensor(content: object) -> Tensor:
    """Numbers as they are; integers as uint8 where they fit, since it is what pictures are made of."""
    if isinstance(content, Tensor):
        x = content.detach()
        if x.layout != torch.strided or x.is_quantized or x.is_complex():
            kind = x.dtype if x.layout == torch.strided else x.layout
            raise Unreadable(f"holds numbers of the kind {kind}: give integers, booleans or floats")
        check_room("with its repeats", x.numel() * x.element_size())
        return x if x.is_floating_point() or x.dtype == torch.bool else _small(x.numpy())
    array = np.asarray(content)
    _check_type("it", array.dtype)
    if array.dtype.kind in "iu":
        return _small(array)
    return torch.from_numpy(array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("=")))


def _small(array: np.ndarray) -> Tensor:
    """Integers in as few bytes as torch counts with."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    kind = np.uint8 if low >= 0 and high <= 255 else np.int32 if low >= -(2**31) and high < 2**31 else np.int64
    if high >= 2**63:
        raise Unreadable(f"holds integers up to {high}: give such as 64 bits hold")
    return torch.from_numpy(array.astype(kind, copy=False))


def marked(path: Path, mark: str, others: Collection[str]) -> dict[str, Tensor] | None:
    """The arrays of those names in an .npz that has one called ``mark``, read as carefully; None of any other file."""
    if path.suffix.lower() != ".npz" or not path.is_file() or not zipfile.is_zipfile(path):
        return None
    with _said_of(path), zipfile.ZipFile(path) as file:
        names = {name.removesuffix(".npy"): name for name in file.namelist()}
        wanted = {key: name for key, name in names.items() if key == mark or key in others}
        return _unpacked(path, file, wanted) if mark in names else None
