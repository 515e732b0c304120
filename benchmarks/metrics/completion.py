"""How well a model made to complete images knows the hidden part, given the part that it is shown.

K. Sohn, X. Yan, H. Lee, "Learning Structured Output Representation using Deep Conditional Generative Models", Advances
in Neural Information Processing Systems 28, 2015: the negative conditional log-likelihood of their section 5.1.
Which part is hidden, and how the likelihood is estimated, is said below the table.
"""

from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.likelihood import negative_log_likelihood

COLUMNS = (
    Column(
        "hidden_nats", "Hidden NLL (nats)", "lower", 2, main=False,
        note="Mean negative log-likelihood of the hidden part of held-out images given the seen part; n/a for models "
        "that are not made for one such task. Tasks that hide less have less to say.",
    ),
)  # fmt: skip


def score(*, hidden_log_prob: Tensor | None) -> dict[str, float | None]:
    if hidden_log_prob is None:
        return {"hidden_nats": None}
    return {"hidden_nats": negative_log_likelihood(log_prob=hidden_log_prob)}
