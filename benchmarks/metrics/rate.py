"""The two terms of a variational bound apart, and how many of its code's dimensions a model uses.

Rate and distortion: A. A. Alemi, B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy, "Fixing a Broken ELBO",
2018, arXiv:1711.00464. Active units: Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", 2015,
arXiv:1509.00519, section 5: dimensions whose encoded mean has a variance above 0.01 over the data.
"""

from torch import Tensor

from benchmarks.metrics import Column

ACTIVE = 0.01  # variance of a dimension's encoded mean over the data

COLUMNS = (
    Column(
        "rate", "Rate (nats)", None, 2, main=False,
        note="Mean KL of a held-out datum's code to the prior: what the code says of the datum. With the distortion it "
        "adds up to the bound on the negative log-likelihood of one draw (-ELBO); n/a for models without such a bound.",
    ),
    Column(
        "distortion", "Distortion (nats)", None, 2, main=False,
        note="Mean -log p(x | z) of held-out data for one draw of their code: what the code leaves to say.",
    ),
    Column(
        "active_units", "Active units", None, 1, main=False,
        note="Dimensions of the code whose encoded mean has a variance above 0.01 over the held-out data.",
    ),
)  # fmt: skip


def score(*, rate: Tensor | None, distortion: Tensor | None, codes: Tensor | None) -> dict[str, float | None]:
    return {
        "rate": None if rate is None else rate.double().mean().item(),
        "distortion": None if distortion is None else distortion.double().mean().item(),
        "active_units": None if codes is None else active_units(codes=codes),
    }


def active_units(*, codes: Tensor) -> float:
    """How many dimensions of the codes (N, latent) vary."""
    if codes.ndim != 2 or len(codes) < 2:
        raise ValueError(f"codes have the shape {tuple(codes.shape)}: give (N, latent), two data at least")
    return float((codes.double().var(0) > ACTIVE).sum())
