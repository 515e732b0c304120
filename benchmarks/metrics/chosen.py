"""Frechet distance of the step that a run would have been stopped at: of its snapshots the nearest to validation data.

M. Lucic, K. Kurach, M. Michalski, S. Gelly, O. Bousquet, "Are GANs Created Equal? A Large-Scale Study", 2018,
arXiv:1711.10337, state the best checkpoint of a run. Departure: which one that is, is decided on the validation part,
by the same features, and what is stated is its distance to the reference, which the last step is compared with, too.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.undefined import Undefined
from benchmarks.metrics.frechet import frechet_distance

RULE = "the snapshot of training whose samples have the lowest such distance to the validation part"

COLUMNS = (
    Column(
        "fjd_chosen", "FJD, chosen step", "lower", 3, main=False,
        note=f"Frechet distance of the judge's features as for FJD, of {RULE}; n/a where snapshots have fewer samples.",
    ),
    Column(
        "fid_chosen", "FID, chosen step", "lower", 3, main=False,
        note=f"Frechet distance of Inception's features as for FID, of {RULE}; n/a where snapshots have fewer samples.",
    ),
    Column(
        "chosen_step", "Chosen step", None, 0, main=False,
        note=f"After how many steps it was taken, by the judge's features: {RULE}.",
    ),
)  # fmt: skip


def score(
    *,
    real_features: Tensor | None,
    chosen_features: Tensor | None,
    features_of: str | None,
    real_inception: Tensor | None,
    chosen_inception: Tensor | None,
    chosen_step: int | None,
) -> dict[str, float | None]:
    judged = features_of == "judge"
    return {
        "fjd_chosen": as_scored(real_features, chosen_features) if judged else None,
        "fid_chosen": as_scored(real_inception, chosen_inception),
        "chosen_step": float(chosen_step) if judged and chosen_step is not None else None,
    }


def as_scored(real: Tensor | None, chosen: Tensor | None) -> float | None:
    """The distance, of as many samples as the last step's. Raises `Undefined` where there are fewer."""
    if real is None or chosen is None:
        return None
    if len(chosen) < len(real):
        few = f"a snapshot has {len(chosen):,} samples, and {len(real):,} are scored"
        raise Undefined(f"{few}: set training.snapshot_samples to {len(real)}")
    return frechet_distance(real=real, fake=chosen[: len(real)])
