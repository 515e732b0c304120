"""Prepared data: what is written is read back, what a model sees, and which minibatch a step gets."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import datasets
from benchmarks.datasets import Split, Splits
from models.common.protocol import Spec
from pipeline import data, params, prepare
from pipeline.cell import data_file
from pipeline.data import Data
from pipeline.tensors import save_tensors
from pipeline.training.stream import batches_once, stream

ROOT = Path(__file__).parents[1]


def counted(n: int = 23, levels: int = 0) -> Data:
    """Data whose rows are told apart by their label."""
    x = torch.randint(levels, (n, 3, 4, 4), dtype=torch.uint8) if levels else torch.arange(2.0 * n).view(n, 2)
    split = Split(x, torch.arange(n))
    return Data(split, split, split, classes=n, levels=levels)


def labels(batches: itertools.islice) -> Tensor:
    return torch.stack([batch.label for batch in batches])


@pytest.mark.parametrize("name", ["ring", "digits"])
def test_what_is_saved_is_loaded(name: str, tmp_path: Path) -> None:
    splits = datasets.load(name, Path(), {})
    data.save(splits, tmp_path / "data.pt")
    loaded = data.load(tmp_path / "data.pt", "cpu")
    for before, after in zip(splits.parts, (loaded.train, loaded.validation, loaded.test), strict=True):
        assert torch.equal(before.x, after.x)
        assert before.x.dtype == after.x.dtype
        assert torch.equal(before.label, after.label)
    assert (loaded.classes, loaded.levels) == (splits.classes, splits.levels)
    if splits.truth:
        assert torch.equal(loaded.truth.centres, splits.truth.centres)
        assert loaded.truth.sigma == splits.truth.sigma
        assert torch.equal(loaded.truth.log_density(loaded.test.x), splits.truth.log_density(splits.test.x))
    else:
        assert loaded.truth is None


def test_unlabelled_slices_are_saved_without_what_they_were_cut_from(tmp_path: Path) -> None:
    x = torch.randn(100_000, 2)
    data.save(Splits(Split(x[:10]), Split(x[10:15]), Split(x[15:25])), tmp_path / "data.pt")
    assert (tmp_path / "data.pt").stat().st_size < 10_000
    loaded = data.load(tmp_path / "data.pt", "cpu")
    assert loaded.train.label is None
    assert torch.equal(loaded.validation.x, x[10:15]) and torch.equal(loaded.test.x, x[15:25])


def test_the_same_data_make_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "other"):
        data.save(datasets.load("ring", Path(), {"train": 100, "test": 10}), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_missing_or_damaged_file_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = data_file("ring")
    with pytest.raises(FileNotFoundError) as missing:
        data.load(path, "cpu")
    assert str(missing.value) == f"{path} is missing; run `dvc repro benchmarks/ring/dvc.yaml`"
    data.save(datasets.load("ring", Path(), {}), path)
    whole = path.read_bytes()
    for wrong in (b"", b"not a tensor", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(wrong)
        with pytest.raises(ValueError) as damaged:
            data.load(path, "cpu")
        expected = f"{path} is damaged or unreadable; delete it and run `dvc repro benchmarks/ring/dvc.yaml`"
        assert str(damaged.value) == expected


def test_data_of_two_parts_are_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x, path = torch.zeros(4, 2), data_file("ring")
    save_tensors(path, {"train": {"x": x}, "test": {"x": x}, "classes": 0, "levels": 0, "truth": None})
    with pytest.raises(ValueError) as old:
        data.load(path, "cpu")
    remedy = "an older version made it; run `dvc repro benchmarks/ring/dvc.yaml`"
    assert str(old.value) == f"{path} holds no validation part: {remedy}"


def test_spec_is_what_a_model_learns_about_the_data() -> None:
    assert counted(5).spec == Spec((2,), classes=5, levels=0)
    assert counted(5, levels=17).spec == Spec((3, 4, 4), classes=5, levels=17)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_become_minus_one_to_one_and_back(levels: int) -> None:
    images = counted(levels=levels)
    stored = torch.arange(levels, dtype=torch.uint8)
    x = images.as_input(stored)
    assert x.dtype == torch.float32
    assert torch.allclose(x.double(), 2 * stored.double() / (levels - 1) - 1, atol=1e-6)
    assert (x[0], x[-1]) == (-1, 1)
    assert stored.tolist() == list(range(levels))
    assert torch.equal(images.to_levels(x), stored)
    half = 0.98 / (levels - 1)  # just under half of the way to the next level
    assert torch.equal(images.to_levels(x + half), stored)
    assert torch.equal(images.to_levels(x - half), stored)
    odd = torch.tensor([-7.0, 7.0, -torch.inf, torch.inf, torch.nan])
    assert images.to_levels(odd).tolist() == [0, levels - 1, 0, levels - 1, 0]


def test_points_stay_as_they_are() -> None:
    points = counted()
    assert points.as_input(points.train.x) is points.train.x
    assert points.to_levels(points.train.x) is points.train.x


def test_batches_hold_inputs_beside_their_labels() -> None:
    images = counted(20, levels=17)
    batch = next(stream(images, 6, seed=0))
    assert batch.x.shape == (6, 3, 4, 4)
    assert torch.equal(batch.x, images.as_input(images.train.x[batch.label]))
    assert batch.partner is None


def test_every_epoch_is_another_order_of_the_training_split() -> None:
    epochs = labels(itertools.islice(stream(counted(24), 6, seed=0), 12)).view(3, 24)
    assert torch.equal(epochs.sort(dim=1).values, torch.arange(24).expand(3, 24))
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 3


def test_what_does_not_fill_a_batch_is_dropped_for_the_epoch() -> None:
    epochs = labels(itertools.islice(stream(counted(23), 6, seed=0), 30)).view(10, 18)
    assert all(len(set(epoch)) == 18 for epoch in epochs.tolist())
    assert len(epochs.unique()) == 23


def test_batches_depend_on_the_seed_and_the_step_alone() -> None:
    points = counted()
    first, again, other = (labels(itertools.islice(stream(points, 6, seed), 20)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.manual_seed(5)  # neither the global generator
    for start in (0, 1, 2, 3, 7, 19):  # nor what was drawn before
        assert torch.equal(labels(itertools.islice(stream(points, 6, 1, start), 20 - start)), first[start:])


@pytest.mark.parametrize("batch", [24, 0, -1])
def test_a_batch_that_does_not_fit_is_refused_at_once(batch: int) -> None:
    with pytest.raises(ValueError, match=rf"batch = {batch} does not fit the 23 training data"):
        stream(counted(), batch, seed=0)
    assert len(next(stream(counted(), 23, seed=0)).x) == 23


def test_channels_last_changes_the_layout_only() -> None:
    images = counted(levels=17)
    plain, other = (next(stream(images, 6, 0, channels_last=channels_last)).x for channels_last in (False, True))
    assert torch.equal(plain, other)
    assert plain.is_contiguous()
    assert other.is_contiguous(memory_format=torch.channels_last)
    assert next(stream(counted(), 6, 0, channels_last=True)).x.shape == (6, 2)


def test_a_stream_leaves_the_stored_data_alone() -> None:
    for kept in (counted(), counted(levels=17)):
        before = kept.train.x.clone()
        next(stream(kept, 6, 0)).x.zero_()
        assert torch.equal(kept.train.x, before)


def test_once_means_all_of_it_in_order() -> None:
    batches = list(batches_once(counted(), 6))
    assert [len(batch.x) for batch in batches] == [6, 6, 6, 5]
    assert torch.equal(torch.cat([batch.x for batch in batches]), counted().train.x)
    assert torch.equal(torch.cat([batch.label for batch in batches]), torch.arange(23))


def test_prepare_writes_the_data_and_says_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = params.Params(ROOT)
    monkeypatch.setattr(params, "load", lambda: project)
    monkeypatch.setattr("sys.argv", ["prepare", "digits"])
    monkeypatch.chdir(tmp_path)
    prepare.main()
    parts = "900 for training, 180 for validation, 717 to test on"
    expected = f"digits: images of 1 x 8 x 8 in 17 levels: {parts}; 10 classes\n"
    assert capsys.readouterr().out == expected
    assert data.load(data_file("digits"), "cpu").spec == Spec((1, 8, 8), classes=10, levels=17)


def test_prepare_looks_for_files_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = params.Params(ROOT)
    monkeypatch.setattr(params, "load", lambda: project)
    monkeypatch.setattr("sys.argv", ["prepare", "mnist"])
    monkeypatch.chdir(tmp_path)
    for root, expected in (("", prepare.DOWNLOADS), ("elsewhere", "elsewhere"), ("~/there", "~/there")):
        monkeypatch.setenv("BENCHMARK_DATA_ROOT", root)
        asked = []
        monkeypatch.setattr(datasets, "load", lambda name, root, settings, asked=asked: asked.append(root) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare.main()
        assert asked == [Path(expected).expanduser()]
