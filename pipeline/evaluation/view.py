"""What a benchmark knows of itself, and what its judge, Inception, or a smaller net sees in images.

Where images have no labels there is no judge, and ImageNet's net gives the features in its place.
"""

import math
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks import imagenet, inception
from benchmarks.datasets.common.captions import meanings
from benchmarks.extractors import Description, describe, features_of
from pipeline.data import Data
from pipeline.evaluation.judging import classes, trusted

SEEN = 10_000  # training data that metrics get whole; of features they get all, or copies would go unseen
TESTED = 10_000  # test data whose likelihoods and reconstructions are asked for: all images, of points a tenth

Evidence = dict[str, Any]  # by the names in benchmarks.metrics.EVIDENCE


class View:
    """The eyes of a benchmark; points are seen as they are."""

    def __init__(self, file: Path, resident: Data, reference: Tensor) -> None:
        """file: the benchmark's judge; one that has none has no such file. reference: where the test data stand that
        samples are compared with."""
        self.resident, self.reference = resident, reference
        self.judge = trusted(file, resident.train.x.device) if file.exists() else None
        self.unjudged = not file.exists()

    def of_benchmark(self, wanted: set[str]) -> Evidence:
        """The benchmark's data and facts."""
        resident = self.resident
        train = resident.as_input(resident.train.x)
        known: Evidence = {"train": train[:SEEN], "test": resident.as_input(resident.test.x[:TESTED])}
        if resident.spec.classes:
            known["test_labels"] = resident.test.labels[:TESTED]
        if resident.train.caption is not None:
            known["taught"] = meanings(resident.train.caption)
        return known | self.compared(wanted) | self.of("train", train, wanted)

    def compared(self, wanted: set[str]) -> Evidence:
        """The facts, and what samples are compared with."""
        resident = self.resident
        real = resident.as_input(resident.test.x[self.reference])
        known: Evidence = {
            "real": real,
            "classes": classes(resident),
            "features_of": self.features_of,
            "levels": resident.levels,
            "dims": predicted(resident),
        }
        if resident.test.partner is not None:
            known["partner"] = resident.as_input(resident.test.partner[self.reference])
        if resident.truth is not None:
            known |= resident.truth._asdict()
        return known | self.of("real", real, wanted)

    def of(self, what: str, x: Tensor, wanted: set[str]) -> Evidence:
        """Features of ``x``, its labels and their probabilities, under names that begin with ``what``."""
        found: Evidence = {}
        names = [name for name in Description._fields if f"{what}_{name}" in wanted]
        if names and self.judge:
            alone = names == ["features"]
            seen = {"features": features_of(self.judge, x)} if alone else describe(self.judge, x)._asdict()
            found = {f"{what}_{name}": seen[name] for name in names}
        elif names and x.dim() == 2:
            found = {f"{what}_features": x}
        if x.dim() != 4:
            return found
        instead = self.unjudged and not self.judge and f"{what}_features" in wanted
        found |= self.by_others(what, x, wanted | ({f"{what}_imagenet"} if instead else set()))
        if instead and f"{what}_imagenet" in found:
            found[f"{what}_features"] = found[f"{what}_imagenet"]
        return found

    @property
    def features_of(self) -> str | None:
        """Whose features they are; None: of a judge that is not trusted."""
        if self.judge:
            return "judge"
        of = {2: "coordinates", 4: "ImageNet" if self.unjudged else None}
        return of.get(self.resident.train.x.dim())

    def by_others(self, what: str, x: Tensor, wanted: set[str]) -> Evidence:
        """What nets see in the images x that others trained, where these are at hand."""
        found: Evidence = {}
        large = min(x.shape[2:]) >= inception.SMALLEST
        if large and f"{what}_inception" in wanted and (extractor := inception.extractor(x.device)):
            features, probabilities = extractor(x)
            found |= {f"{what}_inception": features, f"{what}_inception_probabilities": probabilities}
        if f"{what}_imagenet" in wanted and (net := imagenet.extractor(x.device)):
            found[f"{what}_imagenet"] = net(x)
        return found


def predicted(resident: Data) -> int:
    """How many numbers of a datum a likelihood is of: all, or of clips those of the frames that are not given."""
    first, *rest = resident.spec.shape
    return math.prod((first - resident.seen, *rest))
