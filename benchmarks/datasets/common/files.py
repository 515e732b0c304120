"""Files of torchvision's data sets: found or downloaded, and never read before their MD5 is right."""

import errno
import os
import shutil
import socket
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError

from torchvision.datasets import MNIST
from torchvision.datasets.mnist import read_image_file, read_label_file
from torchvision.datasets.utils import calculate_md5

from benchmarks.datasets.common.splits import Split, Splits, aside

VALIDATION = 10_000  # of MNIST's training images and its likes', the last ones, as the literature sets them aside
Checksums = Mapping[str, str]  # file below the root -> MD5
Fetch = Callable[..., object]  # called (root, download=True), as torchvision's data sets are
PATIENCE = 6.0  # seconds that an address may be silent; some hosts have eight of them
FAILURES = (OSError, RuntimeError, EOFError, HTTPException, TarError, zlib.error)  # torchvision makes one of only some


def load_idx(name: str, dataset: type[MNIST], checksums: Checksums, root: Path, room: int) -> Splits:
    """MNIST and its like: four IDX files in <root>/<dataset>/raw. ``checksums`` are those of the unpacked files."""
    folder = f"{dataset.__name__}/raw"
    files = {f"{folder}/{file}": md5 for file, md5 in checksums.items()}
    archives = {f"{folder}/{file}": md5 for file, md5 in dataset.resources}
    ensure(name, dataset, files, archives, root, room)

    def split(part: str) -> Split:
        images = read_image_file(str(root / folder / f"{part}-images-idx3-ubyte"))
        return Split(images.unsqueeze(1), read_label_file(str(root / folder / f"{part}-labels-idx1-ubyte")))

    return Splits(*aside(split("train"), VALIDATION), split("t10k"), classes=10, levels=256)


def ensure(name: str, fetch: Fetch, files: Checksums, archives: Checksums, root: Path, room: int) -> None:
    """Have all of ``files`` under ``root``, each with its checksum; a download takes ``room`` MiB, unpacked and all.

    Raises ValueError for a damaged file, OSError for a missing one that can't be downloaded; both in one line.
    """
    verify(name, root, files)
    missing = [file for file in files if not (root / file).exists()]
    if not missing:
        return
    check_disk(name, root, room)
    try:
        download(name, fetch, files, archives, root)
    except FAILURES as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise OSError(errno.ENOSPC, error.strerror, str(root)) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OSError(
            f"{name}: no {missing[0]} under {root} and the download failed ({reason}); "
            "set BENCHMARK_DATA_ROOT to a folder that holds it, or connect and run again"
        ) from error


def download(name: str, fetch: Fetch, files: Checksums, archives: Checksums, root: Path) -> None:
    """Fetch and unpack in a folder aside, and move files in place when all are whole. Archives at hand are used."""
    verify(name, root, archives)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root) as folder, silence_limited(PATIENCE):
        aside = Path(folder)
        for archive in archives:
            if (root / archive).exists():
                (aside / archive).parent.mkdir(parents=True, exist_ok=True)
                (aside / archive).symlink_to((root / archive).resolve())
        fetch(aside, download=True)
        verify(name, aside, files)
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(aside / file, root / file)


def check_disk(name: str, root: Path, room: int) -> None:
    """Raise OSError, before anything comes, where the disk that holds ``root`` has not so many MiB free."""
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    if (free := shutil.disk_usage(there).free >> 20) < room:
        raise OSError(
            f"{name}: the download takes {room:,} MiB and the disk of {root} has {free:,} MiB free: free some, or set "
            "BENCHMARK_DATA_ROOT to a folder on another disk"
        )


def verify(name: str, root: Path, files: Checksums) -> None:
    """Raise ValueError for the first of ``files`` that is there but not what it should be."""
    for file, expected in files.items():
        if (root / file).exists() and (found := calculate_md5(root / file)) != expected:
            raise ValueError(f"{name}: {root / file} is damaged: MD5 {found}, not {expected}; delete it and run again")


@contextmanager
def silence_limited(seconds: float) -> Iterator[None]:
    """Time limit on every wait for the network; torchvision sets none and would hang."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
