"""What is recorded of the snapshots of a training: modes held, lost, and just lost."""

import torch

from benchmarks.metrics.modes import FIRM
from pipeline.evaluation.progress import held_and_lost


def test_a_mode_is_lost_once_and_again_after_it_came_back() -> None:
    counts = [
        [FIRM, FIRM, FIRM - 1, 0],
        [FIRM, 0, 0, 0],  # the second is lost; the third was never held
        [0, FIRM, 0, 0],  # it comes back while the first goes: none more are lost, but one anew
        [1, 0, FIRM, 0],  # a single sample of the first is enough for it not to be lost, and too few to hold it
        [0, 0, FIRM, 0],
    ]
    found = list(held_and_lost(map(torch.tensor, counts)))
    assert found == [(2, 0, 0), (1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 2, 1)]


def test_nothing_is_lost_before_anything_is_held() -> None:
    assert list(held_and_lost([torch.tensor([FIRM - 1, 0]), torch.tensor([0, FIRM])])) == [(0, 0, 0), (1, 0, 0)]
