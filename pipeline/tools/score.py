"""The metrics of any two sets of samples: `python -m pipeline.score --real SET --fake SET`; no model of ours is needed.

A set is a folder of PNG or JPEG pictures, or a file .npz, .npy or .pt, which is read without executing what is pickled
in it. Every metric that can be computed from the sets, and from what the extractor sees in them, is printed.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from torch import Tensor

from benchmarks import imagenet, inception, metrics
from benchmarks.extractors import describe
from pipeline.data import chosen_device
from pipeline.evaluation.judging import load_judge
from pipeline.stage import run_stage
from pipeline.tools.sets import Samples, read
from reports.tables import heading, number

HELP = """\
a SET is
  a folder      PNG or JPEG pictures of one size, grey or RGB, subfolders included
  .npz          samples called x or arr_0, or the only array; beside x, levels (then x is integers 0..levels-1) and
                label (N,) are read too
  .npy, .pt     one array or tensor; a .pt may also be a dictionary with the names of an .npz
and holds
  images        (N, C, H, W), (N, H, W, C) or (N, H, W): integers 0..255, or floats in [-1, 1]; 1 or 3 channels
  points        (N, D): their coordinates are their features

examples
  python -m pipeline.export digits test --to test
  python -m pipeline.export digits gan --to gan
  python -m pipeline.score --real test --fake gan --extractor judge:artifacts/digits/judge/judge.pt
"""


class Extractor(NamedTuple):
    name: str  # as the protocol says it
    see: Callable[[Tensor], dict[str, Tensor]]  # a set -> evidence, by what follows `real_` or `fake_` in its name
    known: dict[str, Any]  # further evidence


class Result(NamedTuple):
    shapes: dict[str, list[int]]  # of each set
    features: str
    values: list[tuple[metrics.Column, float]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Compute the metrics of two sets of samples.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--real", type=Path, required=True, metavar="SET", help="held-out real samples: the reference")
    parser.add_argument("--fake", type=Path, required=True, metavar="SET", help="generated samples")
    parser.add_argument("--train", type=Path, metavar="SET", help="what the model was trained on, to find memorisation")
    parser.add_argument("--extractor", default="pixels", help="judge:PATH, inception, imagenet, or pixels (default)")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help=f"of {', '.join(metrics.names())}; default: all")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    paths = {what: path for what in ("real", "fake", "train") if (path := getattr(arguments, what))}
    result = score(paths, arguments.extractor, arguments.metrics or metrics.names())
    print(as_json(paths, result) if arguments.json else as_text(paths, result))


def score(paths: dict[str, Path], extractor: str, chosen: list[str]) -> Result:
    """The columns of the chosen metrics that have a value. Raises ValueError, which names the file at fault."""
    columns = metrics.columns(chosen)
    sets = {what: read(path) for what, path in paths.items()}
    try:
        check_alike(sets)
        used = opened(extractor, sets["real"].x)
        values = metrics.evaluate(chosen, evidence(sets, used))
    except ValueError as error:
        named = ", ".join(f"{what} is {path}" for what, path in paths.items())
        raise ValueError(f"{error} ({named})") from error
    found = [(column, value) for column in columns if (value := values[column.name]) is not None]
    if not found:
        raise ValueError(f"nothing of {', '.join(chosen)} can be computed from these sets; leave --metrics out for all")
    return Result({what: list(samples.x.shape) for what, samples in sets.items()}, used.name, found)


def check_alike(sets: dict[str, Samples]) -> None:
    """Raise ValueError unless each set holds two samples or more, all of one shape."""
    expected = tuple(sets["real"].x.shape[1:])
    for what, samples in sets.items():
        shape = tuple(samples.x.shape[1:])
        if len(samples.x) < 2:
            raise ValueError(f"{what} holds one sample: give 2 or more")
        if shape != expected:
            raise ValueError(f"real holds samples of the shape {expected} and {what} of {shape}: give equal ones")


def opened(extractor: str, real: Tensor) -> Extractor:
    """The extractor of that name, for samples like ``real``."""
    kind, _, path = extractor.partition(":")
    if kind not in ("pixels", "inception", "imagenet", "judge") or (kind == "judge") != bool(path):
        raise ValueError(f"no extractor is called {extractor!r}: give pixels, inception, imagenet or judge:PATH")
    if kind == "pixels":
        name = "the coordinates themselves" if real.dim() == 2 else "the pixels themselves, in [-1, 1]"
        return Extractor(name, lambda x: {"features": x.flatten(1)}, {"features_of": "coordinates"})
    if real.dim() == 2:
        raise ValueError(f"the extractor {extractor!r} sees images, and these are points: leave it out")
    if kind == "judge":
        return by_judge(Path(path))
    return by_inception() if kind == "inception" else by_imagenet()


def by_judge(path: Path) -> Extractor:
    if not path.is_file():
        raise ValueError(f"the judge {path} is missing: `python -m pipeline.judge BENCHMARK` makes one")
    judge = load_judge(path, chosen_device())
    known = {"features_of": "judge", "classes": judge.classes}
    return Extractor(f"of the judge {path}", lambda x: describe(judge, x)._asdict(), known)


def by_inception() -> Extractor:
    extract = inception.extractor(chosen_device())
    if extract is None:
        raise ValueError("Inception is unavailable: it needs torch-fidelity and its weights; or use pixels")

    def see(x: Tensor) -> dict[str, Tensor]:
        features, probabilities = extract(x)
        return {"features": features, "inception": features, "inception_probabilities": probabilities}

    return Extractor("of Inception", see, {"features_of": "Inception"})


def by_imagenet() -> Extractor:
    extract = imagenet.extractor(chosen_device())
    if extract is None:
        raise ValueError(f"ImageNet's net is unavailable: {imagenet.REMEDY}; or use pixels")

    def see(x: Tensor) -> dict[str, Tensor]:
        features = extract(x)
        return {"features": features, "imagenet": features}

    return Extractor("of ImageNet's EfficientNet-Lite0", see, {"features_of": "ImageNet"})


def evidence(sets: dict[str, Samples], extractor: Extractor) -> dict[str, Any]:
    """What the metrics ask for, by the names in benchmarks.metrics.EVIDENCE."""
    device = chosen_device()
    found = {"dims": sets["real"].x[0].numel(), **extractor.known}
    for what, samples in sets.items():
        x = samples.x.to(device)
        found |= {what: x} | {f"{what}_{name}": value for name, value in extractor.see(x).items()}
    labels = {"true_labels": sets["real"].label, "given_labels": sets["fake"].label}
    return found | {name: label.to(device) for name, label in labels.items() if label is not None}


def as_text(paths: dict[str, Path], result: Result) -> str:
    """For a terminal: what was compared, the values, and a sentence on each."""
    lines = [f"{what:8}  {paths[what]}, {' x '.join(map(str, shape))}" for what, shape in result.shapes.items()]
    lines += [f"features  {result.features}; read so where a note says judge's", ""]
    rows = [(heading(column), number(column, value)) for column, value in result.values]
    wide, right = (max(map(len, cells)) for cells in zip(*rows, strict=True))
    lines += [f"{name:{wide}}  {value:>{right}}" for name, value in rows]
    notes = [fill(f"{column.label}: {column.note}", 120, subsequent_indent="  ") for column, _ in result.values]
    return "\n".join([*lines, "", *notes])


def as_json(paths: dict[str, Path], result: Result) -> str:
    content = {
        "sets": {what: {"path": str(paths[what]), "shape": shape} for what, shape in result.shapes.items()},
        "features": result.features,
        "scores": {column.name: value for column, value in result.values},
        "columns": [column._asdict() for column, _ in result.values],
    }
    return json.dumps(content, indent=1)


if __name__ == "__main__":
    run_stage(main)
