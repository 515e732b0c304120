"""The stages of the benchmark, one module each, and in folders what they are built of."""

import sys
from importlib import import_module
from pathlib import Path

# A command of a user's keeps its short name: `python -m pipeline.score` runs pipeline/tools/score.py.
__path__.append(str(Path(__file__).parent / "tools"))

if sys.argv[0] == "-m":  # a command, which has yet to import what it runs
    import_module("pipeline.stage").begin()  # by name: how a command begins is no part of what it computes
