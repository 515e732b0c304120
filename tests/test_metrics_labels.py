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
    """But for the one image that is spread evenly: 90.5 and 10.5 of 101."""
    real, fake = torch.tensor([0] * 90 + [1] * 10), torch.tensor([0] * 9 + [1])
    expected = 0.9 * math.log(0.9 * 101 / 90.5) + 0.1 * math.log(0.1 * 101 / 10.5)
    found = judged_modes.score(fake_labels=fake, classes=2, real_labels=real)["class_kl"]
    assert found == pytest.approx(expected) and found < 1e-3


def test_a_class_without_held_out_images_costs_much_and_not_infinity() -> None:
    """Left out of a mean over seeds, the worst would make a model better."""
    values = judged_modes.score(fake_labels=torch.tensor([0, 1]), classes=2, real_labels=torch.tensor([0, 0]))
    expected = math.log(0.5 * 3 / 2.5) / 2 + math.log(0.5 * 3 / 0.5) / 2
    assert values == {"classes_covered": 2, "class_kl": pytest.approx(expected)}
    worst = judged_modes.score(fake_labels=torch.tensor([1, 1]), classes=2, real_labels=torch.tensor([0, 0]))
    assert worst["class_kl"] == pytest.approx(math.log(2 * 3))


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
    labels = {"given_labels": torch.tensor([0, 1, 2, 3]), "fake_labels": torch.tensor([0, 1, 2, 0])}
    assert conditional.score(**labels, fake=None, centres=None) == {"label_match": 0.75, "labels_obeyed": 3}


def test_a_label_is_obeyed_if_half_of_its_samples_are() -> None:
    given = torch.tensor([0] * 4 + [2] * 4 + [3] * 3)  # nobody asks for 1
    fake = torch.tensor([0, 0, 1, 1, 2, 1, 1, 1, 3, 3, 0])
    assert conditional.labels_obeyed(given=given, fake=fake) == 2


def test_a_point_has_the_label_of_the_nearest_mode() -> None:
    centres = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    values = conditional.score(
        given_labels=torch.tensor([2, 1, 1]), fake_labels=None, fake=centres.flip(0) + 1.5, centres=centres
    )
    assert values == {"label_match": pytest.approx(2 / 3), "labels_obeyed": 2}


def test_a_model_that_is_given_no_label_has_no_match() -> None:
    values = conditional.score(given_labels=None, fake_labels=torch.tensor([0, 1]), fake=None, centres=None)
    assert values == {"label_match": None, "labels_obeyed": None}


def test_unlabelled_data_have_no_classes() -> None:
    values = judged_modes.score(fake_labels=torch.tensor([0]), classes=0, real_labels=torch.tensor([0]))
    assert values == {"classes_covered": None, "class_kl": None}


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"fake_labels spans 0..4: with 3 classes a label is 0..2"):
        judged_modes.score(fake_labels=torch.tensor([0, 4]), classes=3, real_labels=torch.tensor([0]))
    with pytest.raises(ValueError, match="real_labels has the shape"):
        judged_modes.score(fake_labels=torch.tensor([0]), classes=3, real_labels=torch.tensor([0.5]))
    with pytest.raises(ValueError, match=r"shape \(2,\) and the judge's \(3,\)"):
        conditional.score(given_labels=torch.zeros(2), fake_labels=torch.zeros(3), fake=None, centres=None)
