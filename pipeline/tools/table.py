"""A table of results as a paper takes it: `python -m pipeline.table BENCHMARK`, from the scores that are kept in git.

Best and tied are marked among the models that are shown.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline import floors, params
from pipeline.cell import ORACLE, Cell, scores_dir
from pipeline.files import atomic_write
from pipeline.stage import Parser, run_stage
from pipeline.tools.add import making
from pipeline.validation import nearest
from reports import load, tables
from reports.statistics import compare, main_part

FORMATS = ("plain", "latex", "markdown", "csv")
FORMS = tuple(tables.FORMS)
NOTES = ("short", "full", "none")
HELP = """\
seeds
  sd         mean ± standard deviation (default)
  brackets   mean (standard deviation)
  mean       the mean alone
  all        the value of every seed

examples
  python -m pipeline.table digits
  python -m pipeline.table digits --models vae gan wgan_gp --columns fjd recall nats --format latex
  python -m pipeline.table ring --columns all --seeds all --format csv
The LaTeX is for a document that loads booktabs, of one column or of two.
"""


class Wanted(NamedTuple):
    models: list[str]
    columns: list[str]  # none: those of the main table
    format: str
    seeds: str
    precision: int | None
    notes: str
    caption: str


def main() -> None:
    arguments = parse()
    wanted = Wanted(
        arguments.models,
        arguments.columns,
        params.known(arguments.format, list(FORMATS), "--format", "format"),
        params.known(arguments.seeds, list(FORMS), "--seeds", "form"),
        arguments.precision,
        params.known(arguments.notes or NOTES[0], list(NOTES), "--notes", "kind"),
        arguments.caption,
    )
    if arguments.notes and wanted.format not in ("latex", "markdown"):
        raise ValueError(f"--notes {arguments.notes}: only with --format latex or markdown")
    if wanted.caption and wanted.format != "latex":
        raise ValueError(f"--caption {wanted.caption!r}: only with --format latex")
    if wanted.precision is not None and not 0 <= wanted.precision <= 12:
        raise ValueError(f"--precision {wanted.precision}: give 0 to 12 decimals")
    text = made(read(params.load().benchmark(arguments.benchmark), wanted.models), wanted)
    if arguments.out:
        atomic_write(arguments.out, text)
    else:
        sys.stdout.write(text)


def parse() -> argparse.Namespace:
    parser = Parser(
        prog="python -m pipeline.table",
        description="A table of results, from the scores in reports/scores.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmark", help="a folder of benchmarks/, such as ring or digits")
    rows = "rows, in this order, but for oracle (real data), which is last; default: all"
    parser.add_argument("--models", nargs="+", default=[], metavar="MODEL", help=rows)
    columns = "columns, in this order; default: the main table's; all: every one"
    parser.add_argument("--columns", nargs="+", default=[], metavar="COLUMN", help=columns)
    parser.add_argument("--format", default="plain", help=f"{', '.join(FORMATS)}; default: plain")
    parser.add_argument("--seeds", default="sd", metavar="FORM", help=f"{', '.join(FORMS)}; default: sd")
    parser.add_argument("--precision", type=int, metavar="N", help="decimals; default: as each column has")
    notes = (
        "under a table in LaTeX or Markdown: short (default), full (the protocol and a sentence for each column), none"
    )
    parser.add_argument("--notes", metavar="KIND", help=notes)
    parser.add_argument("--caption", default="", help="title of the LaTeX table; default: Comparison on BENCHMARK")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there; default: print it")
    return parser.parse_args()


def made(report: load.Report, wanted: Wanted) -> str:
    """The table in the format that is wanted."""
    comparison = chosen(report, wanted)
    if wanted.format == "csv":
        return spread(report, comparison, wanted.seeds).to_csv(index=False)
    content, legend = tables.table(comparison, wanted.seeds), noted(report, comparison, wanted)
    if wanted.format == "latex":
        return tables.latex(content, legend, wanted.caption or f"Comparison on {report.benchmark}").rstrip() + "\n"
    if wanted.format == "markdown":
        return tables.markdown(content, legend)
    return f"{tables.plain(content)}\n" + f"\n{tables.SIGNS}\n" * any(
        any(cell.mark for cell in row.cells) for row in content.rows
    )


def read(benchmark: params.Benchmark, models: list[str], lines: bool = False) -> load.Report:
    """The results of these models, or of all that have any, the oracle last; with ``lines`` those of training, too."""
    there = [model for model in benchmark.rows if Cell(benchmark.name, model).scores.exists()]
    if not there:
        raise ValueError(
            f"{benchmark.name} has no results in {scores_dir(benchmark.name)}: {making(benchmark.name)} runs it"
        )
    for model in models:
        params.known(model, [*benchmark.rows, ORACLE], f"--models: {benchmark.name}", "model")
        if model not in (*there, ORACLE):
            stage = f"brought-{model}" if model in benchmark.brought else ""
            run = making(benchmark.name, stage)
            raise ValueError(f"--models: {model} has no results on {benchmark.name} yet: {run} runs it")
    shown = [model for model in dict.fromkeys(models or there) if model != ORACLE]
    report = load.load(benchmark.name, benchmark.kind, shown, scores_dir(benchmark.name), {}, lines=lines)
    return replace(report, floors=floors.resolved(benchmark))


def chosen(report: load.Report, wanted: Wanted) -> pd.DataFrame:
    """The comparison, of the rows and columns that are wanted."""
    whole = compare(report)
    if wanted.precision is not None:
        whole = whole.assign(decimals=wanted.precision)
    if wanted.models and ORACLE not in wanted.models:
        whole = whole[whole.model != ORACLE]
    if not wanted.columns:
        return main_part(whole)
    if wanted.columns == ["all"]:
        return whole[whole.groupby("metric").n.transform("max") > 0]
    columns = [named(report, column) for column in wanted.columns]
    return pd.concat([whole[whole.metric == name] for name in dict.fromkeys(columns)])


def named(report: load.Report, column: str) -> str:
    """The column that is called so, or headed so: without its unit and arrow, `nll` as `nats`."""
    names = [each.name for each in report.columns]
    headings = {each.label.partition(" (")[0].lower(): each.name for each in report.columns}
    found = headings.get(column.lower(), column.lower())
    if found not in names:
        near = nearest(found, names)
        raise ValueError(f"--columns: unknown column {column!r}{near}; `--columns all` shows every one")
    return found


def noted(report: load.Report, comparison: pd.DataFrame, wanted: Wanted) -> tables.Legend:
    """What stands under the table."""
    if wanted.notes == "full":
        return tables.legend(report, comparison, wanted.seeds)
    return tables.brief(report, comparison, wanted.seeds) if wanted.notes == "short" else tables.Legend((), ())


def spread(report: load.Report, comparison: pd.DataFrame, form: str) -> pd.DataFrame:
    """A row a model, a column its mean, beside it its spread; or a row a seed."""
    order, models = list(dict.fromkeys(comparison.metric)), list(dict.fromkeys(comparison.model))
    if form == "all":
        values = report.scores[report.scores.metric.isin(order) & report.scores.model.isin(models)]
        wide = values.pivot(index=["model", "seed"], columns="metric", values="value")
        return wide.reindex(columns=order).reindex(models, level="model").reset_index()
    wide = comparison.pivot(index="model", columns="metric", values=["mean", "sd"])
    found = {}
    for name in order:
        found[name] = wide["mean"][name]
        if form != "mean":
            found[f"{name}_sd"] = wide["sd"][name]
    return pd.DataFrame(found).reindex(models).rename_axis("model").reset_index()


if __name__ == "__main__":
    run_stage(main)
