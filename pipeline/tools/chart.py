"""A picture of a benchmark's page as a file: `python -m pipeline.chart BENCHMARK QUESTION`, from the scores in git."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from pipeline import params
from pipeline.files import atomic_write
from pipeline.stage import Parser, run_stage
from pipeline.tools import table
from reports import drawing
from reports.load import Report
from reports.looks import looks

HELP = """\
examples
  python -m pipeline.chart digits                        the questions that digits has pictures of
  python -m pipeline.chart digits sharp-or-likely
  python -m pipeline.chart ring who-drops-modes --models vae gan pacgan edm --out modes.pdf
"""
PIXELS = range(50, 10_001)  # that a side may have


def main() -> None:
    arguments = parse()
    if arguments.out and not arguments.question:
        raise ValueError(f"--out {arguments.out}: name the question whose picture it is to be")
    form = arguments.out.suffix.lstrip(".").lower() if arguments.out else "svg"
    params.known(form, list(drawing.FORMATS), f"--out {arguments.out}", "format")
    for side in ("width", "height"):
        if (pixels := getattr(arguments, side)) not in PIXELS:
            raise ValueError(f"--{side} {pixels}: give {PIXELS.start} to {PIXELS.stop - 1} pixels")
    benchmark = params.load().benchmark(arguments.benchmark)
    found = drawing.drawing(read(benchmark, arguments.models))
    if not arguments.question:
        for key, chart in found.charts.items():
            print(f"{key}: {chart.caption}")
        return
    of = f"{benchmark.name}, of {', '.join(arguments.models)}" if arguments.models else benchmark.name
    if arguments.models and arguments.question not in found.charts:
        every = drawing.drawing(read(benchmark, [])).charts
        if arguments.question in every:
            raise ValueError(f"{of}: fewer than two have both numbers that {arguments.question} draws; add others")
    question = params.known(arguments.question, list(found.charts), of, "question with a picture")
    out = arguments.out or Path(f"{benchmark.name}_{question}.svg")
    atomic_write(out, drawing.drawn(found, found.charts[question], form, arguments.width, arguments.height))
    if absent := [model for model in arguments.models if model not in drawing.shown(found, found.charts[question])]:
        print(f"not drawn, without such numbers: {', '.join(absent)}", file=sys.stderr)
    print(out)


def parse() -> argparse.Namespace:
    parser = Parser(
        prog="python -m pipeline.chart",
        description="A picture of results, from the scores in reports/scores.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmark", help="a folder of benchmarks/, such as ring or digits")
    parser.add_argument("question", nargs="?", help="without one, those that there are are printed")
    parser.add_argument("--models", nargs="+", default=[], metavar="MODEL", help="whom to draw; default: all")
    parser.add_argument("--out", type=Path, metavar="FILE", help=".svg, .pdf or .png; default: BENCHMARK_QUESTION.svg")
    parser.add_argument("--width", type=int, default=520, metavar="PIXELS", help="default: 520")
    parser.add_argument(
        "--height", type=int, default=340, metavar="PIXELS", help="of a picture without rows; default: 340"
    )
    return parser.parse_args()


def read(benchmark: params.Benchmark, models: list[str]) -> Report:
    """The results of these models, or of all that have any, with what pictures need beside tables."""
    report = table.read(benchmark, models, lines=True)
    palette = looks(params.load().families())
    return replace(report, ranked=tuple(benchmark.ranked), palette=palette)


if __name__ == "__main__":
    run_stage(main)
