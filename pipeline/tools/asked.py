"""What a user asks to be scored, by the names that other tools use too, and what is said of numbers and missing ones.

The notes of columns are written for this project's tables, whose features are a judge's or coordinates: here they say
what is scored.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any, NamedTuple

from benchmarks import imagenet, metrics
from benchmarks.metrics import Column
from benchmarks.metrics.manifold import WHOSE
from pipeline.tools.seeing import INCEPTION

ALIASES = {
    "is": ("inception_score",),
    "isc": ("inception_score",),
    "prc": ("precision", "recall"),
}
KEYS = {"inception": "Inception's", "imagenet": "those of ImageNet's net", "judge": "the judge's"}
OWN = {  # how a column's name begins -> whose features it is of, and how to have them
    **dict.fromkeys(("fid", "kid", "inception_score"), ("inception", f"inception; {INCEPTION}")),
    **dict.fromkeys(("fjd", "kjd", "judge_is"), ("judge", "judge:PATH")),
    "imagenet_": ("imagenet", f"imagenet; {imagenet.REMEDY}"),
    "fd": ("", "pixels"),
}
GIVES = {
    **dict.fromkeys(("train", "train_features"), "training data: --train SET"),
    **dict.fromkeys(("real_labels", "fake_labels", "classes", "fake_probabilities"), "--extractor judge:PATH"),
    "given_labels": "labels of the generated samples: an .npz of x and label",
    "test_labels": "labels of the real samples: an .npz of x and label",
    **dict.fromkeys(("real", "fake", "test"), "the samples themselves, all of one shape"),
}


class Asked(NamedTuple):
    metrics: list[str]  # the files in benchmarks/metrics
    columns: list[Column]
    named: frozenset[str]  # columns, and metrics, that were asked for one by one


def asked(names: list[str] | None) -> Asked:
    """Metrics and columns by name or alias: `fid` is that column alone, `frechet` all that its file has."""
    chosen = list(dict.fromkeys(pair for name in names or metrics.names() for pair in _of(name)))
    files = list(dict.fromkeys(file for file, _ in chosen))
    single = {column.name for name in names or [] if name not in metrics.names() for _, column in _of(name)}
    return Asked(files, [column for _, column in chosen], frozenset(single.union(names or [])))


def _of(name: str) -> Iterator[tuple[str, Column]]:
    """The columns that a name stands for, each with its metric."""
    if name in metrics.names():
        yield from ((name, column) for column in metrics.columns([name]))
        return
    every = {column.name: (file, column) for file in metrics.names() for column in metrics.columns([file])}
    for column in ALIASES.get(name.lower(), (name.lower(),)):
        if column not in every:
            known = [*metrics.names(), *every, *ALIASES]
            nearest = get_close_matches(name.lower(), known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(metrics.names())}"
            raise ValueError(f"no metric is called {name!r}: {remedy}")
        yield every[column]


def known(name: str) -> bool:
    try:
        return bool(asked([name]).columns)
    except ValueError:
        return False


def missing(what: Asked, values: Mapping[str, float | None], evidence: Mapping[str, Any], key: str) -> dict[str, str]:
    """Why columns have no value, beyond what their metric says: of those that were named, and of too few samples."""
    found = {}
    for file in what.metrics:
        every = metrics.load(file).COLUMNS
        nothing = all(values[column.name] is None for column in every)
        for column in (column for column in every if column in what.columns):
            whose, remedy = next((own for start, own in OWN.items() if column.name.startswith(start)), (None, ""))
            fits = whose is None or key.startswith(whose or ("pixels", "coordinates"))
            if values[column.name] is not None:
                continue
            if fits and "n/a with fewer" in column.note and not nothing:
                found[column.name] = "there are too few samples: it is so " + column.note.split("n/a ")[1].split(".")[0]
            elif (nothing and file in what.named) or column.name in what.named:
                found[column.name] = (
                    _wants(file, evidence) if fits else f"it is of other features: --extractor {remedy}"
                )
    return found


def _wants(file: str, evidence: Mapping[str, Any]) -> str:
    """What a metric does without."""
    for name in signature(metrics.load(file).score).parameters:
        if evidence.get(name) is None and not name.endswith(("_inception", "_imagenet", "_inception_probabilities")):
            return f"it wants {GIVES.get(name) or f'{name}, {metrics.EVIDENCE[name]}: no set of samples holds it'}"
    return "it has no value for these sets"


def worded(column: Column, key: str, points: bool) -> Column:
    """The column with a note that says whose features they are."""
    what = "coordinates" if points else "pixels"
    whose = next((words for start, words in KEYS.items() if key.startswith(start)), f"the {what}")
    note = column.note.replace(WHOSE, whose)
    note = note.replace("pixels or coordinates", what)
    if not points:
        note = note.replace("coordinates of held-out and generated points", "pixels of held-out and generated images")
    return column._replace(note=note)
