"""The evaluate stage: every metric of one cell, `python -m pipeline.evaluate BENCHMARK MODEL`.

MODEL may be `oracle`: fresh real samples in a generator's place, which is what a perfect model would score.
"""

from pipeline import params
from pipeline.cell import ORACLE, Cell, scores_dir
from pipeline.evaluation.scores import machines, write
from pipeline.files import file_digest
from pipeline.stage import Parser, run_stage
from pipeline.work.units import Unit, forget_work, locked, publish
from pipeline.work.workers import made
from reports.files import read_judge, read_seeds, readable


def main() -> None:
    parser = Parser(
        prog="python -m pipeline.evaluate", description="Compute every metric of one trained model on one benchmark."
    )
    parser.add_argument("benchmark")
    parser.add_argument("model", help=f"a model of the benchmark, or {ORACLE}")
    arguments = parser.parse_args()
    benchmark = params.load().benchmark(arguments.benchmark)
    params.known(arguments.model, [*benchmark.rows, ORACLE], f"{benchmark.kind}.models", "model")
    evaluate(Cell(benchmark.name, arguments.model), benchmark)


def evaluate(cell: Cell, benchmark: params.Benchmark) -> None:
    """Evaluate every seed of ``cell`` and write its outputs: samples, progress, scores."""
    units = cell.evaluation_units()
    with locked(units[0].work.with_name("evaluate.lock")):
        for unit in units:
            forget_others(unit)
        records = made(units, f"evaluate {cell.name}")
        cell.unchanged("evaluate")
        publish(units)
        check_records(cell)
        write(cell, benchmark, records)
        forget_work(cell.benchmark, cell.model, "evaluate")


def check_records(cell: Cell) -> None:
    """What the protocol under the table says stands in records of earlier stages. Raises OSError or ValueError."""
    remedy = f"`dvc repro benchmarks/{cell.benchmark}/dvc.yaml`"
    if cell.trains:
        content = read_seeds(cell.training, remedy, {"made": dict})
        with readable(cell.training, remedy):
            machines(content["seeds"])
    if (judge := scores_dir(cell.benchmark) / "judge.json").exists():
        read_judge(judge, remedy)


def forget_others(unit: Unit) -> None:
    """Drop what an earlier run made of other weights: trained anew, or on another machine, they may differ."""
    record = unit.record()
    files = unit.training_files()
    if record and any(not file.exists() or record["of"].get(name) != file_digest(file) for name, file in files.items()):
        unit.file(".json").unlink()


if __name__ == "__main__":
    run_stage(main)
