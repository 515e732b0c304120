"""A checkout on a machine with other habits."""

import subprocess
from pathlib import Path

from clones import copy, succeed

ME = ("-c", "user.name=test", "-c", "user.email=test@example.org")


def test_a_checkout_with_crlf_habits_has_the_same_bytes(tmp_path: Path) -> None:
    """With a carriage return in its first line `pipeline/run` would not start, and digests would be others."""
    origin, crlf = tmp_path / "origin", tmp_path / "crlf"
    origin.mkdir()
    copy(origin)
    succeed(origin, "git", "add", "-A")
    succeed(origin, "git", *ME, "commit", "-qm", "all")
    succeed(tmp_path, "git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "clone", "-q", "origin", "crlf")
    names = subprocess.run(["git", "ls-files"], cwd=crlf, capture_output=True, text=True, check=True).stdout.split()
    assert "pipeline/run" in names and any(name.endswith(".png") for name in names)
    assert not [name for name in names if (crlf / name).read_bytes() != (origin / name).read_bytes()]
