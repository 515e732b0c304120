"""The clone that soaks run in."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clones import copy, edit_params, leave, succeed
from soak import results
from test_pipeline import set_params


def fewer(board: dict[str, Any]) -> None:
    for kind, models in (("toys", ("vae", "wgan")), ("images", ("cgan",))):
        board[kind]["models"] = {name: board[kind]["models"][name] for name in models}


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clone with tiny budgets, reproduced once and undisturbed; or the one that CLONE names, of an earlier run."""
    if made := os.environ.get("CLONE"):
        yield Path(made)
        return
    place = tmp_path_factory.mktemp("chaos")
    copy(place)
    leave(place, "ring", "digits")
    set_params(place)
    edit_params(place, fewer)
    succeed(place, "dvc", "repro", "-q")
    yield place


@pytest.fixture(scope="session")
def whole(clone: Path) -> dict[str, str]:
    """The results of that."""
    return results(clone)
