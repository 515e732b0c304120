"""The metrics of any two sets of samples: `python -m pipeline.score REAL FAKE`; no model of ours is needed.

A set is a folder of pictures, or a file .npz, .npy or .pt, which is read without executing what is pickled in it. Every
metric that can be computed from the sets, and from what the extractor sees in them, is printed; docs/score.md says how.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import TextWrapper
from typing import Any, NamedTuple

from benchmarks import metrics
from pipeline.stage import Parser, run_stage
from pipeline.tools import arrays, reference
from pipeline.tools.asked import asked, known, missing, worded
from pipeline.tools.ranges import Range
from pipeline.tools.seeing import Extractor, Seen, evidence, of_samples, opened, seen
from pipeline.tools.sets import Samples, read
from reports.tables import heading, number

HELP = """\
a SET is
  a folder      pictures (PNG, JPEG, WebP, BMP, TIFF), grey or RGB, with 8 bits a channel; subfolders and linked ones
                are read, once each; hidden files are not
  .npz          samples called x or arr_0, or the only array; beside x, levels (then x is integers 0..levels-1) and
                label (N,) are read too
  .npy, .pt     one array or tensor; a .pt may also be a dictionary with the names of an .npz, or (x, label)
and holds
  images        (N, C, H, W), (N, H, W, C) or (N, H, W): integers 0..255, or floats in [-1, 1], or --range says it;
                1 or 3 channels
  points        (N, D): their coordinates are their features
REAL may be a file that --save-reference wrote.

examples
  python -m pipeline.score photos/ samples/ --extractor inception --metrics fid kid is precision recall
  python -m pipeline.score test.npz samples.npy --range 0 1
  python -m pipeline.score photos/ --extractor inception --save-reference photos.npz
  python -m pipeline.score photos.npz samples/ --extractor inception
"""


class Told(NamedTuple):
    """A set in the words of the result."""

    path: str
    shape: list[int]  # its size, and that of each sample where they are of one
    range: list[float] | None  # that images were read in
    read: str  # how they were


class Result(NamedTuple):
    sets: dict[str, Told]
    features: str
    values: list[tuple[metrics.Column, float]]
    reasons: dict[str, str]  # of columns that have no value
    warnings: list[str]


def main() -> None:
    arguments = parsed()
    stated = Range(arguments.range[0], arguments.range[1], "stated") if arguments.range else None
    paths = {what: path for what in ("real", "fake", "train") if (path := getattr(arguments, what))}
    if arguments.save_reference:
        note = save_reference(paths["real"], arguments.save_reference, arguments.extractor, stated, arguments.size)
        said = f"the reference is in {arguments.save_reference}: give it in the place of {paths['real']}{note}"
        print(said, file=sys.stderr if arguments.json else sys.stdout)
    if "fake" in paths:
        result = score(paths, arguments.extractor, arguments.metrics, stated, arguments.size)
        print(as_json(result) if arguments.json else as_text(result))


def parsed() -> argparse.Namespace:
    parser = Parser(
        prog="python -m pipeline.score",
        description="Compute the metrics of two sets of samples.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sets", nargs="*", type=Path, metavar="SET", help="REAL and FAKE")
    parser.add_argument("--real", type=Path, metavar="SET", help="the same: held-out real samples, the reference")
    parser.add_argument("--fake", type=Path, metavar="SET", help="the same: generated samples")
    parser.add_argument("--train", type=Path, metavar="SET", help="what the model was trained on, to find memorisation")
    parser.add_argument("--extractor", default="pixels", help="judge:PATH, inception, imagenet, or pixels (default)")
    names = f"fid kid is precision recall, or any column; or of {', '.join(metrics.names())}; default: all"
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help=names)
    parser.add_argument(
        "--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="black and white in arrays that do not say it"
    )
    parser.add_argument("--size", type=int, metavar="N", help="resize all images to N x N pixels")
    parser.add_argument("--save-reference", type=Path, metavar="FILE", help="keep what is seen of REAL, as an .npz")
    parser.add_argument("--json", action="store_true", help="print JSON")
    found = parser.parse_intermixed_args()
    swallowed = () if found.sets else behind(found.metrics, [found.real, found.fake].count(None))
    if swallowed:
        found.metrics = found.metrics[: -len(swallowed)]
    for path in [*found.sets, *swallowed]:
        free = next((what for what in ("real", "fake") if getattr(found, what) is None), None)
        if free is None:
            raise ValueError(f"{path} is one set too many: give REAL and FAKE")
        setattr(found, free, path)
    if found.real is None or (found.fake is None and not found.save_reference):
        raise ValueError("give two sets, REAL and FAKE" + ", and both before --metrics" * bool(found.metrics))
    if found.range and not Range(*found.range).fits:
        raise ValueError(f"--range {found.range[0]:g} {found.range[1]:g}: give two numbers of float32, the lower first")
    if found.save_reference and found.save_reference.suffix.lower() != ".npz":
        raise ValueError(f"--save-reference {found.save_reference}: give a file that ends in .npz")
    if found.size is not None and not 1 <= found.size <= 4096:
        raise ValueError(f"--size {found.size}: give 1 to 4096 pixels")
    return found


def behind(names: list[str] | None, free: int) -> list[Path]:
    """The sets behind the names of metrics, which argparse takes for more of these: at most as many as are free."""
    sets: list[Path] = []
    for name in reversed((names or [])[1:]):
        path = Path(name)
        if len(sets) == free or known(name) or not (path.exists() or path.suffix.lower() in arrays.SUFFIXES):
            break
        sets.insert(0, path)
    return sets


def save_reference(path: Path, to: Path, extractor: str, stated: Range | None = None, size: int | None = None) -> str:
    """Keep what the extractor sees of a set in a file that stands for it, and say if that is not of all samples."""
    samples = read(path, stated, size, extractor in reference.EXTRACTORS)
    used = opened(extractor, samples.shapes[0])
    check_alike({"real": (len(samples), samples.shapes)}, used)
    content = seen(samples, used, raw=False)
    reference.save(to, content, used)
    return f" ({content.note})" * bool(content.note)


def score(
    paths: dict[str, Path],
    extractor: str,
    chosen: list[str] | None,
    stated: Range | None = None,
    size: int | None = None,
) -> Result:
    """The columns asked for that have a value. Raises ValueError, which names the file at fault."""
    what = asked(chosen)
    saved = reference.load(paths["real"])
    mixed = extractor in reference.EXTRACTORS
    sets = {name: read(path, stated, size, mixed) for name, path in paths.items() if name != "real" or saved is None}
    try:
        used = opened(extractor, [*(saved[1].shapes if saved else []), *next(iter(sets.values())).shapes][0])
        if saved and saved[0] != used.key:
            raise ValueError(f"the reference was saved of {saved[0]!r} and not of {used.key!r}: give that --extractor")
        sizes = {"real": (saved[1].n, saved[1].shapes)} if saved else {}
        check_alike(sizes | {name: (len(x), x.shapes) for name, x in sets.items()}, used)
        needs = metrics.needs(what.metrics)
        raw = needs | ({"real"} if "test" in needs else set())
        found = {"real": saved[1]} if saved else {}
        found |= {name: seen(samples, used, name in raw) for name, samples in sets.items()}
        sets = {name: replace(samples, groups=()) for name, samples in sets.items()}  # metrics want the memory
        given = evidence(found, used)
        values, reasons = evaluated(what.metrics, given, given | of_samples(found))
    except ValueError as error:
        named = ", ".join(f"{name} is {path}" for name, path in paths.items())
        raise ValueError(f"{error} ({named})") from error
    reasons = missing(what, values, given, used.key) | reasons
    reasons = {column.name: reasons[column.name] for column in what.columns if column.name in reasons}
    points = len(first_shape(found["real"], found["fake"])) == 1
    have = [
        (worded(column, used.key, points), value)
        for column in what.columns
        if (value := values[column.name]) is not None
    ]
    if not have:
        why = "; ".join(dict.fromkeys(reasons.values())) or "leave --metrics out for all"
        raise ValueError(f"nothing of {', '.join(chosen or ['all metrics'])} can be computed from these sets: {why}")
    told = {name: tell(path, found[name], sets.get(name)) for name, path in paths.items()}
    parts = [f"{name}: {content.note}" for name, content in found.items() if content.note]
    doubts = [*doubtful(sets, used), *parts, *too_few(found, [column for column, _ in have])]
    return Result(told, used.name, have, reasons, doubts)


def evaluated(chosen: list[str], given: dict[str, Any], looked: dict[str, Any]) -> metrics.Found:
    """The chosen metrics of what is given; those that want both sets' labels look at samples, which may be a part."""
    themselves = [name for name in chosen if "test_labels" in metrics.needs([name])]
    of_all = metrics.evaluated([name for name in chosen if name not in themselves], given)
    of_part = metrics.evaluated(themselves, looked)
    return metrics.Found(of_all.values | of_part.values, of_all.reasons | of_part.reasons)


def first_shape(*sets: Seen) -> tuple[int, ...]:
    return next(shape for content in sets for shape in content.shapes)


def check_alike(sizes: dict[str, tuple[int, list[tuple[int, ...]]]], extractor: Extractor) -> None:
    """Raise ValueError unless each set holds two samples or more that can be compared: of one shape, or resized."""
    for what, (n, _) in sizes.items():
        if n < 2:
            raise ValueError(f"{what} holds one sample: give 2 or more")
    if extractor.resizes:
        points = [what for what, (_, shapes) in sizes.items() if any(len(shape) == 1 for shape in shapes)]
        if points:
            raise ValueError(f"{points[0]} holds points, and {extractor.key!r} sees images: leave --extractor out")
        return
    expected = sizes["real"][1][0]
    for what, (_, shapes) in sizes.items():
        if shapes[0] != expected:
            pictures = len(shapes[0]) == len(expected) == 3 and shapes[0][0] == expected[0]
            remedy = "give equal ones" + ", or make them so by --size N" * pictures
            raise ValueError(f"real holds samples of the shape {expected} and {what} of {shapes[0]}: {remedy}")


def doubtful(sets: dict[str, Samples], extractor: Extractor) -> list[str]:
    """What was left out of sets, and what speaks against how they were read."""
    said = [f"{what}: {note}" for what, samples in sets.items() for note in samples.notes]
    return said + [extractor.doubt] * bool(extractor.doubt)


def too_few(sets: dict[str, Seen], columns: list[metrics.Column]) -> list[str]:
    """Frechet distances of no more samples than dimensions: they grow with how few there are."""
    names = [column.label for column in columns if column.name in ("fd", "fid", "fjd", "imagenet_fd")]
    dims = sets["real"].evidence["features"].shape[1]
    few = [
        f"{content.n:,} samples of {what}" for what, content in sets.items() if what != "train" and content.n <= dims
    ]
    if not names or not few:
        return []
    return [
        f"{' and '.join(names)}: {' and '.join(few)} are few for {dims:,} dimensions: the distance is biased upward, "
        "and compares only with those of as many samples; give more samples than dimensions"
    ]


def tell(path: Path, content: Seen, samples: Samples | None) -> Told:
    if samples is None:
        how = "saved features"
    elif samples.range is None:
        how = "points"
    else:
        how = f"read as {samples.range} ({samples.range.how})"
    one = list(content.shapes[0]) if len(content.shapes) == 1 else []
    limits = None if samples is None or samples.range is None else [samples.range.low, samples.range.high]
    return Told(
        str(path), [content.n, *one], limits, how + f", {len(content.shapes)} shapes" * (len(content.shapes) > 1)
    )


def as_text(result: Result) -> str:
    """For a terminal: what was compared, the values, and a sentence on each."""
    lines = [
        f"{what:8}  {told.path}, {' x '.join(map(str, told.shape))}, {told.read}" for what, told in result.sets.items()
    ]
    lines += [f"features  {result.features}", *(said(f"warning: {text}") for text in result.warnings), ""]
    rows = [(heading(column), number(column, value)) for column, value in result.values]
    wide, right = (max(map(len, cells)) for cells in zip(*rows, strict=True))
    lines += [f"{name:{wide}}  {value:>{right}}" for name, value in rows]
    notes = [said(f"{column.label}: {column.note}") for column, _ in result.values]
    missing = [said(f"{name}: n/a, since {reason}.") for name, reason in result.reasons.items()]
    return "\n".join([*lines, "", *notes, *missing])


def said(text: str) -> str:
    """In lines of 120; no address is broken."""
    return TextWrapper(120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False).fill(text)


def as_json(result: Result) -> str:
    content = {
        "sets": {what: told._asdict() for what, told in result.sets.items()},
        "features": result.features,
        "scores": {column.name: value for column, value in result.values},
        "reasons": result.reasons,
        "warnings": result.warnings,
        "columns": [column._asdict() for column, _ in result.values],
    }
    return json.dumps(content, indent=1)


if __name__ == "__main__":
    run_stage(main)
