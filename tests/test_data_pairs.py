"""What training draws from two domains, from clips and from captions, and what models are given to sample."""

from types import SimpleNamespace

import pytest
import torch
from torch import Generator, Tensor

from benchmarks.datasets import Split
from models.common.protocol import Spec
from pipeline.data import Data
from pipeline.evaluation.sampling import asked
from pipeline.training.stream import Shuffle, batches_once, stream

N, OTHERS = 12, 5


def numbered(paired: bool, others: int = N) -> Data:
    """Datum i is the point (i, i), its partner (i, i, i) + 100."""
    x = torch.arange(N).float().unsqueeze(1).expand(N, 2).contiguous()
    partner = 100 + torch.arange(others).float().unsqueeze(1).expand(others, 3).contiguous()
    part = Split(x, torch.arange(N), partner, torch.arange(2 * N).view(N, 2))
    return Data(part, part, part, classes=N, paired=paired, vocabulary=("", "a", "b"))


def drawn(data: Data, pairs: bool, steps: int = 30) -> list[tuple[int, int]]:
    batches = stream(data, 3, 7, pairs=pairs)
    rows = [next(batches) for _ in range(steps)]
    assert all(torch.equal(batch.caption[:, 0], 2 * batch.label) for batch in rows), "captions stay with their data"
    return [(int(x), int(y) - 100) for batch in rows for x, y in zip(batch.x[:, 0], batch.partner[:, 0], strict=True)]


def test_a_model_knows_the_shape_of_the_other_domain() -> None:
    assert numbered(True).spec == Spec((2,), N, 0, (3,), 0, 3)


def test_who_is_shown_pairs_sees_the_first_half_with_its_partners() -> None:
    found = drawn(numbered(True), pairs=True)
    assert {x for x, _ in found} == set(range(N // 2)) and all(x == y for x, y in found)


def test_others_see_no_partner_of_what_they_see() -> None:
    found = drawn(numbered(True), pairs=False)
    assert {x for x, _ in found} == set(range(N // 2)) and {y for _, y in found} == set(range(N // 2, N))
    beside = {x: {y for other, y in found if other == x} for x in range(N // 2)}
    assert all(len(partners) > 2 for partners in beside.values()), "each epoch stands beside other partners"


def test_domains_without_pairs_may_differ_in_size() -> None:
    found = drawn(numbered(False, OTHERS), pairs=False)
    assert {x for x, _ in found} == set(range(N)) and {y for _, y in found} == set(range(OTHERS))
    epoch = [y for _, y in found[:N]]
    assert max(epoch.count(y) for y in range(OTHERS)) - min(epoch.count(y) for y in range(OTHERS)) <= 1
    with pytest.raises(ValueError, match="learns from pairs, and the data have none"):
        stream(numbered(False), 3, 7, pairs=True)


@pytest.mark.parametrize("pairs", [True, False])
def test_steps_gather_the_same_themselves(pairs: bool) -> None:
    data = numbered(True)
    shuffle, batches = Shuffle(data, 3, 7, pairs=pairs), stream(data, 3, 7, start_step=1, pairs=pairs)
    for step in range(1, 9):
        shuffle.fill(step)
        mine, theirs = shuffle.batch(torch.tensor(step)), next(batches)
        assert all(torch.equal(one, other) for one, other in zip(mine, theirs, strict=True))


def test_all_partners_come_with_the_data_once() -> None:
    (first, second) = batches_once(numbered(True), 4, pairs=True)
    assert torch.cat([first.partner, second.partner])[:, 0].tolist() == [100, 101, 102, 103, 104, 105]
    parts = list(batches_once(numbered(False, OTHERS), 5))
    assert torch.cat([part.partner for part in parts])[:, 0].tolist() == [100 + i % OTHERS for i in range(N)]


def test_samples_stand_beside_the_test_data_whose_partner_is_given() -> None:
    half = torch.tensor([4, 1, 9])
    model = SimpleNamespace(given="partner")
    given = asked(model, numbered(True), 3, Generator().manual_seed(0), half)
    assert given[:, 0].tolist() == [104, 101, 109]
    assert asked(SimpleNamespace(given="caption"), numbered(True), 3, Generator(), half).tolist() == [
        [8, 9],
        [2, 3],
        [18, 19],
    ]
    assert len(asked(model, numbered(True), 50, Generator().manual_seed(0))) == 50, "of validation, by lot"
    plain = Data(*[Split(torch.zeros(4, 2))] * 3)
    with pytest.raises(ValueError, match="the data have no partners, which this model is given"):
        asked(model, plain, 3, Generator())


@pytest.mark.parametrize("half", [None, torch.arange(8)])
def test_labels_are_asked_for_as_often_as_they_occur_in_training(half: Tensor | None) -> None:
    parts = (Split(torch.zeros(8, 2), torch.tensor(label)) for label in ([0] * 6 + [1] * 2, [2] * 8, [3] * 8))
    n = 8 if half is not None else 4000
    given = asked(SimpleNamespace(given="label"), Data(*parts, classes=4), n, Generator().manual_seed(0), half)
    assert len(given) == n and given.max() <= 1
    if half is None:
        assert given.double().mean().item() == pytest.approx(1 / 4, abs=0.03)


def test_clips_are_given_their_first_frames() -> None:
    x = torch.arange(2 * 5).view(2, 5, 1, 1, 1).to(torch.uint8)
    data = Data(*[Split(x)] * 3, levels=256, seen=2)
    given = asked(SimpleNamespace(given="clip"), data, 2, Generator(), torch.tensor([1, 0]))
    assert torch.equal(given, data.as_input(x[[1, 0], :2])) and data.spec == Spec((5, 1, 1, 1), 0, 256, (), 2)
