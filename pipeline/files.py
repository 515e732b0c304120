"""Files that are either whole or absent. Needs no torch, so that a process that only moves files starts at once."""

import hashlib
import os
import tempfile
from pathlib import Path


def atomic_write(path: Path, data: bytes | str) -> None:
    """Write ``data`` to ``path`` through a temporary file beside it, so that a reader never sees half of it.

    Raises OSError naming ``path`` (a full disk, a missing permission) and leaves nothing behind.
    """
    path = Path(path)
    raw = data.encode() if isinstance(data, str) else data
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes 0600; outputs are ordinary files
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise OSError(error.errno, error.strerror, str(path)) from error


def file_digest(file: Path) -> str:
    """SHA-256 of what the file holds."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def content_digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files in a folder."""
    if not path.is_dir():
        return file_digest(path)
    lines = [f"{file.relative_to(path)} {file_digest(file)}\n" for file in sorted(path.rglob("*")) if file.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def remedy(file: Path) -> str:
    """The command that makes a file in artifacts/<benchmark>/ or artifacts/work/<benchmark>/ anew."""
    if "artifacts" not in file.parts:
        return "dvc repro"
    benchmark = file.parts[file.parts.index("artifacts") + (2 if "work" in file.parts else 1)]
    return f"dvc repro benchmarks/{benchmark}/dvc.yaml"
