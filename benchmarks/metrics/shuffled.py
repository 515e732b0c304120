"""Whether the judge of clips sees their order: the Frechet distance of real clips whose frames are shuffled.

S. Ge et al., "On the Content Bias in Frechet Video Distance", 2024, arXiv:2404.12391: a distance between clips may
hardly notice that their frames no longer follow one another. One that does not is worth nothing here.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.frechet import frechet_distance

COLUMNS = (
    Column(
        "fjd_shuffled", "FJD, shuffled", None, 2, main=False,
        note="Frechet distance of the judge's features of held-out clips and of others whose frames are shuffled, the "
        "same for every model: were it no larger than the oracle's FJD, FJD would not see motion.",
    ),
)  # fmt: skip


def score(*, real_features: Tensor | None, shuffled_features: Tensor | None) -> dict[str, float | None]:
    if real_features is None or shuffled_features is None:
        return {"fjd_shuffled": None}
    return {"fjd_shuffled": frechet_distance(real=real_features, fake=shuffled_features)}
