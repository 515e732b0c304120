"""DVC, as `make` runs it: `python -m pipeline.dvc repro ...` waits where another DVC is at work on the same files."""

import sys

from pipeline.stage import run_stage
from pipeline.work import plan


def main() -> None:
    if code := plan.dvc(*sys.argv[1:]):
        sys.exit(code)


if __name__ == "__main__":
    run_stage(main)
