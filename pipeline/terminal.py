"""Where commands print to."""

import io
import sys


def forgiving() -> None:
    """What a terminal cannot show, such as an arrow in ASCII, is a question mark there and no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
