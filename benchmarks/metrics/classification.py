"""Classification accuracy score: what generated samples teach a classifier about real ones.

S. Ravuri, O. Vinyals, "Classification Accuracy Score for Conditional Generative Models", 2019, arXiv:1905.10887: train
a classifier on samples with the labels that they were asked for, test it on held-out data with their true ones.
Departure: the classifier is a support vector machine with the kernel exp(-|x - y|^2 / D) on D pixels or coordinates
(scikit-learn, C = 1), and not a residual network, which would take longer than all else in an evaluation; it is trained
on 2,000 samples at most and tested on 2,000 at most, by lot.
"""

from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_pair
from benchmarks.metrics.common.draw import draw

SAMPLES = 2000

COLUMNS = (
    Column(
        "cas", "CAS", "higher", 2, percent=True, main=False,
        note="Accuracy on held-out data of a support vector machine trained on at most 2,000 generated samples with "
        "the labels asked for; n/a for models that are given no label.",
    ),
)  # fmt: skip


def score(
    *, test: Tensor | None, test_labels: Tensor | None, fake: Tensor | None, given_labels: Tensor | None
) -> dict[str, float | None]:
    if test is None or test_labels is None or fake is None or given_labels is None:
        return {"cas": None}
    return {
        "cas": classification_accuracy(
            real=test.flatten(1), true_labels=test_labels, fake=fake.flatten(1), given_labels=given_labels
        )
    }


def classification_accuracy(*, real: Tensor, true_labels: Tensor, fake: Tensor, given_labels: Tensor) -> float:
    """Share of (N, D) real samples classified rightly by what (n, D) generated ones teach."""
    check_pair(real=real, fake=fake, least=1)
    for name, x, labels in (("real", real, true_labels), ("fake", fake, given_labels)):
        if labels.shape != x.shape[:1]:
            raise ValueError(f"{len(x)} {name} samples need a label each, not labels of shape {tuple(labels.shape)}")
    taught, asked = draw(fake, SAMPLES), draw(real, SAMPLES)
    truth, lesson = true_labels[asked].cpu().numpy(), given_labels[taught].cpu().numpy()
    if (lesson == lesson[0]).all():  # nothing to tell apart
        return float((truth == lesson[0]).mean())
    machine = SVC(kernel=rbf_kernel).fit(fake[taught].double().cpu().numpy(), lesson)
    return float(machine.score(real[asked].double().cpu().numpy(), truth))
