"""What the evaluated seeds of a cell say together: its scores.json."""

from __future__ import annotations

import json
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from pipeline.files import atomic_write, content_digest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.cell import Cell
    from pipeline.params import Benchmark
    from pipeline.work.units import Record

NET = "EfficientNet-Lite0"
RECORDED = ("of", "made", "files", "sample_ms", "seconds")  # what is told of a seed beside its row


def write(cell: Cell, benchmark: Benchmark, records: list[Record]) -> None:
    """scores.json: means for `dvc metrics`, every seed's row, and how to print and read the columns."""
    rows, columns = [record["row"] for record in records], records[0]["columns"]
    values = {
        column["name"]: [row[column["name"]] for row in rows if row.get(column["name"]) is not None]
        for column in columns
    }
    content = {
        "mean": {name: mean(found) for name, found in values.items() if found},
        "sd": {name: stdev(found) for name, found in values.items() if len(found) > 1},
        # Lists are what `dvc metrics` passes over.
        "seeds": [{**record["row"], **{key: record[key] for key in RECORDED}} for record in records],
        "columns": columns,
        "protocol": protocol(cell, benchmark, rows),
        "cell": [{"fingerprint": cell.evaluation_fingerprint}],
    }
    if cell.brought:
        content["brought"] = [cell.brought.samples]
    atomic_write(cell.scores, json.dumps(content, indent=1) + "\n")
    shown = [f"{column['label']} {summary(column, values[column['name']])}" for column in columns if column["main"]]
    print(f"{cell.name}: {', '.join(shown)}", flush=True)


def summary(column: dict[str, Any], found: list[float]) -> str:
    """A column's mean as the table shows it."""
    return f"{mean(found) * (100 if column['percent'] else 1):.{column['decimals']}f}" if found else "n/a"


def protocol(cell: Cell, benchmark: Benchmark, rows: list[dict[str, Any]]) -> list[str]:
    """The sentences under a table that the cell stands in."""
    training = benchmark.training
    lines = [f"{benchmark.evaluation.samples:,} samples generated per seed."]
    if cell.brought:
        files = map(cell.brought.file, range(benchmark.seeds))
        marks = ", ".join(content_digest(file)[:8] for file in files)
        lines.append(f"{cell.model} was not trained here: its samples are {cell.brought.samples}, of SHA-256 {marks}.")
    if cell.architecture is not None:
        rate = ", learning rates falling linearly to 0" * (training.lr_decay == "linear")
        lines.append(f"{benchmark.seeds} training seeds, {training.steps:,} steps of {training.batch} each{rate}.")
        lines.append(f"Trained on {' and '.join(machines(json.loads(cell.training.read_text())['seeds']))}.")
    if any(row.get("given") == "label" for row in rows):
        lines.append(f"{cell.model} is told labels, as often as they occur in training; the others are told nothing.")
    if any(row.get("given") == "image" for row in rows):
        lines.append(
            f"{cell.model} is shown test images outside of the reference and completes their hidden part; its samples "
            "hold real pixels, so its scores do not compare."
        )
    if any(row.get("given") == "pairs" for row in rows):
        lines.append(f"{cell.model} is shown pairs: half of the training data, and what they are translations of.")
    if any(row.get("given") == "partner" for row in rows):
        lines.append(f"{cell.model} is shown no pairs: where there are any, partners of the other half.")
    if any(row.get("given") == "clip" for row in rows):
        lines.append(f"{cell.model} is given the first frames of test clips, of none that is in the reference.")
    return lines + yardsticks(benchmark, cell.scores.parents[1] / "judge.json")


def yardsticks(benchmark: Benchmark, record: Path) -> list[str]:
    """What samples are measured by: reference, oracle and judge."""
    shape, judged = benchmark.plainest.shape, benchmark.judge is not None
    data = {1: "points", 3: "images", 4: "clips"}[len(shape)]
    about = f"Likelihoods: of all test {data}, 10,000 at most."
    if benchmark.plainest.paired:
        oracle = "as many true translations of the same"
    elif len(shape) == 1 and not benchmark.plainest.partner:
        oracle = "as many fresh samples of the true density; its likelihood is the true one"
    else:
        nobody = ", translations of no one" * bool(benchmark.plainest.partner)
        oracle = f"as many other test {data}{nobody}" + ", which the judge has not seen" * judged
    if benchmark.plainest.partner:  # no translator states a likelihood
        about = f"Samples: translations of other test {data} than the reference's."
    elif len(shape) == 3 and not judged:
        about += f" Features: of {NET}, which ImageNet taught; without labels there is no judge."
    lines = [
        f"Reference: as many test {data}, others for each seed and the same for every model.",
        f"Oracle: {oracle}.",
        about,
    ]
    if benchmark.judge is None or not record.exists():
        return lines
    judge = json.loads(record.read_text())
    what = ", of label and last direction together" * (len(shape) == 4)
    lines.append(
        f"Judge: a classifier trained on the training {data}{what}, {judge['accuracy']:.2%} right on test {data}."
    )
    if "channel_accuracy" in judge:
        lines.append(
            "Stacks of every part are drawn from the same digits: the judge has seen each digit of a test stack."
        )
    return lines + [f"Beware: {warning}." for warning in judge.get("warnings", [])]


def machines(records: list[Record]) -> list[str]:
    """What seeds were trained on, each machine once."""
    names = [f"{made['device']} (torch {made['torch']})" for made in (record["made"] for record in records)]
    return list(dict.fromkeys(names))
