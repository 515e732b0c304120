"""What the judge's labels say: classes covered, their divergence, and whether the class asked for was drawn."""

import math

import pytest
import torch

from benchmarks.metrics import conditional, judged_modes


def test_classes_and_divergence_of_known_histograms() -> None:
    real = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    fake = torch.tensor([0, 0, 0, 1])
    values = judged_modes.score(fake_labels=fake, classes=4, real_labels=real)
    assert values["classes_covered"] == 2
    assert values["class_kl"] == pytest.approx(0.75 * math.log(0.75 / 0.25))  # and 0.25 log 1


def test_unequal_classes_of_the_data_are_no_fault_of_the_model() -> None:
    real, fake = torch.tensor([0] * 90 + [1] * 10), torch.tensor([0] * 9 + [1])
    assert judged_modes.score(fake_labels=fake, classes=2, real_labels=real)["class_kl"] == pytest.approx(0, abs=1e-12)


def test_an_infinite_divergence_is_no_number() -> None:
    values = judged_modes.score(fake_labels=torch.tensor([0, 1]), classes=2, real_labels=torch.tensor([0, 0]))
    assert values == {"classes_covered": 2, "class_kl": None}


def test_a_second_draw_meets_the_floor() -> None:
    rng = torch.Generator().manual_seed(0)
    classes, n, held_out, draws = 10, 1000, 500, 200
    found = []
    for _ in range(draws):
        real, fake = (torch.randint(0, classes, (size,), generator=rng) for size in (held_out, n))
        found.append(judged_modes.score(fake_labels=fake, classes=classes, real_labels=real)["class_kl"])
    floor = (classes - 1) / 2 * (1 / n + 1 / held_out)
    assert sum(found) / draws == pytest.approx(floor, rel=0.15)


def test_share_of_labels_drawn_as_asked() -> None:
    values = conditional.score(given_labels=torch.tensor([0, 1, 2, 3]), fake_labels=torch.tensor([0, 1, 2, 0]))
    assert values == {"label_match": 0.75}


def test_a_model_that_is_given_no_label_has_no_match() -> None:
    assert conditional.score(given_labels=None, fake_labels=torch.tensor([0, 1])) == {"label_match": None}


def test_unlabelled_data_have_no_classes() -> None:
    values = judged_modes.score(fake_labels=torch.tensor([0]), classes=0, real_labels=torch.tensor([0]))
    assert values == {"classes_covered": None, "class_kl": None}


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"fake_labels spans 0..4: with 3 classes a label is 0..2"):
        judged_modes.score(fake_labels=torch.tensor([0, 4]), classes=3, real_labels=torch.tensor([0]))
    with pytest.raises(ValueError, match="real_labels has the shape"):
        judged_modes.score(fake_labels=torch.tensor([0]), classes=3, real_labels=torch.tensor([0.5]))
    with pytest.raises(ValueError, match=r"shape \(2,\) and the judge's \(3,\)"):
        conditional.score(given_labels=torch.zeros(2), fake_labels=torch.zeros(3))
