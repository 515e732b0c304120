"""The stages of the benchmark, one module each, and in folders what they are built of."""

from pathlib import Path

# A command of a user's keeps its short name: `python -m pipeline.score` runs pipeline/tools/score.py.
__path__.append(str(Path(__file__).parent / "tools"))
