"""Samples as other tools read them: `python -m pipeline.export BENCHMARK MODEL --to DIR` writes pictures or one .npz.

Pictures are PNG with 8 bits a channel, named by their place; an .npz holds `arr_0`, (n, H, W, C) uint8 in 0..255 or
(n, D) float32 points. Grey levels 0..L-1 are spread over 0..255 and rounded, which with other levels than 256
moves scores in their third digit; artifacts/<benchmark>/<model>/samples/<seed>.npz has them as they are.
"""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from pipeline import data, params
from pipeline.cell import ORACLE, Cell, data_file
from pipeline.evaluation.sampling import packed
from pipeline.files import atomic_write
from pipeline.stage import Parser, run_stage
from pipeline.tools.add import making
from pipeline.work.sound import explained
from reports.samples import read_samples

SPLITS = ("train", "validation", "test")


def main() -> None:
    parser = Parser(
        prog="python -m pipeline.export",
        description="Write the samples of a trained model, or real data, for other tools.",
    )
    parser.add_argument("benchmark", help="a folder of benchmarks/, such as ring or digits")
    parser.add_argument(
        "model", help=f"a model of the benchmark, {ORACLE}, or the benchmark's own data: {', '.join(SPLITS)}"
    )
    parser.add_argument("--seed", type=int, default=0, help="training seed whose samples are written (default 0)")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--format", choices=("png", "npz"), help="default: png for images, npz for points")
    arguments = parser.parse_args()
    benchmark = params.load().benchmark(arguments.benchmark)
    known = [*benchmark.rows, ORACLE, *SPLITS]
    model = params.known(arguments.model, known, f"{benchmark.kind}.models", "model")
    x, levels = (
        real(benchmark.name, model) if model in SPLITS else generated(Cell(benchmark.name, model), arguments.seed)
    )
    chosen = arguments.format or ("png" if levels else "npz")
    export(x, levels, arguments.to, chosen)
    print(f"{benchmark.name}/{model}: {len(x):,} samples are in {arguments.to}")


def real(benchmark: str, split: str) -> tuple[Tensor, int]:
    """A split of the benchmark's data, and its grey levels."""
    with explained(data_file(benchmark)):
        content = data.load(data_file(benchmark), "cpu")
        return getattr(content, split).x, content.levels


def generated(cell: Cell, seed: int) -> tuple[Tensor, int]:
    """What a training seed generated, and its grey levels."""
    there = sorted(int(file.stem) for file in cell.samples.glob("*.npz"))
    if seed not in there:
        makes = f"{making(cell.benchmark)} makes them"
        known = f"there are {', '.join(map(str, there))}; a diverged seed has none" if there else makes
        raise ValueError(f"{cell.name} has no samples of seed {seed}: {known}")
    content = read_samples(cell.samples / f"{seed}.npz", making(cell.benchmark))
    return torch.from_numpy(content.x), content.levels


def export(x: Tensor, levels: int, folder: Path, form: str) -> None:
    """Write points (n, D), or images (n, C, H, W) of so many levels, into an empty folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty: choose a new folder, so that no other samples are among these")
    if levels:
        x = x.movedim(1, 3).mul(255 / (levels - 1)).round().to(torch.uint8)  # (n, C, H, W) -> (n, H, W, C)
    if form == "npz":
        atomic_write(folder / "samples.npz", packed(arr_0=x))
        return
    if x.dim() == 2 or x.shape[3] not in (1, 3):
        raise ValueError(f"samples of the shape {tuple(x.shape[1:])} are no pictures: use --format npz")
    folder.mkdir(parents=True, exist_ok=True)
    for place, pixels in enumerate(x.numpy()):
        Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(folder / f"{place:05}.png")


if __name__ == "__main__":
    run_stage(main)
