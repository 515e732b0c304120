"""Memory that what somebody brings would take, before it is taken."""

import psutil


class Unreadable(ValueError):
    """What is wrong with a file, to be said after its name."""


def check_room(what: str, size: int) -> None:
    """Raise unless so many bytes are at most half of the memory that is free."""
    free = psutil.virtual_memory().available
    if size > free / 2:
        raise Unreadable(f"{what} takes {size / 2**30:,.1f} GiB, more than half of the {free / 2**30:,.1f} GiB free")
