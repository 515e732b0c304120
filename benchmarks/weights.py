"""Weights of nets that others trained: downloaded once, and never used before their checksum is right."""

import fcntl
import hashlib
import io
import os
import shutil
import tempfile
import urllib.request
from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

PATIENCE = 6.0  # seconds that an address may be silent


def tensors(whose: str, file: Path, sha256: str, remedy: str) -> dict[str, Tensor]:
    """The tensors in a file whose SHA-256 begins with `sha256`; OSError in one line, with the remedy, for any other.

    A file of weights could hold code: nothing but tensors is read.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise OSError(f"{whose} weights {file} cannot be read ({error.strerror}): {remedy}") from error
    found = sha256_of(content)
    if not found.startswith(sha256):
        raise OSError(f"{whose} weights {file} are damaged: SHA-256 {found[:8]}, not {sha256[:8]}; {remedy}")
    try:
        return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except UnpicklingError as error:
        raise OSError(f"{whose} weights {file} hold something other than tensors: {remedy}") from error


def ensure(file: Path, url: str, sha256: str) -> None:
    """Have the file, by download if need be; OSError where that fails. Processes that want it at once share one."""
    if file.is_file():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.is_file():
            _download(file, url, sha256)


def _download(file: Path, url: str, sha256: str) -> None:
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".download-") as folder:
        aside = Path(folder) / file.name
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer, aside.open("wb") as out:
                check_disk(file.parent, int(getattr(answer, "headers", {}).get("Content-Length") or 0))
                shutil.copyfileobj(answer, out)
        except HTTPException as error:
            raise OSError(str(error) or type(error).__name__) from error
        found = sha256_of(aside.read_bytes())
        if not found.startswith(sha256):
            raise OSError(f"what came has the SHA-256 {found[:8]}, not {sha256[:8]}")
        os.replace(aside, file)


def check_disk(folder: Path, size: int) -> None:
    """Raise OSError, before anything is written, where a folder's disk has not so many bytes free."""
    if (free := shutil.disk_usage(folder).free) < size:
        raise OSError(f"it takes {size >> 20:,} MiB and the disk of {folder} has {free >> 20:,} MiB free")


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
