"""The contract of every data set, wrong settings, and files that are damaged, missing, or downloaded.

Data sets that read files get small ones of the right format, with checksums to match, so that the real code runs.
"""

import bz2
import gzip
import hashlib
import math
import pickle
import socket
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import CIFAR10, MNIST, SVHN, USPS

from benchmarks import datasets
from benchmarks.datasets import cifar10, fashion_mnist, mnist, mnist_svhn, mnist_usps
from benchmarks.datasets.common import files

IMAGES = {"train": 30, "t10k": 20}
ASIDE = 10  # of the training images, for validation


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def idx(folder: Path) -> dict[str, str]:
    """Four small IDX files in ``folder``; their checksums."""
    folder.mkdir(parents=True)
    for part, n in IMAGES.items():
        pixels = np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, n, 28, 28) + pixels.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, n) + labels.tobytes())
    return {path.name: md5(path) for path in sorted(folder.iterdir(), reverse=True)}


def cifar_batches(folder: Path) -> dict[str, str]:
    """CIFAR-10's seven pickles, ten images a batch; their checksums."""
    folder.mkdir(parents=True)
    for seed, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        pixels = np.random.default_rng(seed).integers(0, 256, (10, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": list(range(10))}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CIFAR10.__name__)}))
    return {path.name: md5(path) for path in folder.iterdir()}


def usps_files(folder: Path) -> dict[str, list[str]]:
    """USPS's two files of lines such as `7 1:-1 2:0.5 ...`, labels from 1 on; as torchvision lists them."""
    folder.mkdir(parents=True)
    for part, n in IMAGES.items():
        pixels = np.random.default_rng(n).integers(0, 3, (n, 256)) - 1.0
        lines = [
            f"{i % 10 + 1} " + " ".join(f"{place + 1}:{value:g}" for place, value in enumerate(row))
            for i, row in enumerate(pixels)
        ]
        (folder / f"usps.{part}.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))
    listed = {"train": "usps.train.bz2", "test": "usps.t10k.bz2"}
    return {part: ["", file, md5(folder / file)] for part, file in listed.items()}


def svhn_files(folder: Path) -> dict[str, list[str]]:
    """SVHN's two files, in which a 0 has the label 10; as torchvision lists them."""
    folder.mkdir(parents=True)
    for part, n in IMAGES.items():
        pixels = np.random.default_rng(n).integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
        savemat(folder / f"{part}.mat", {"X": pixels, "y": (np.arange(n) % 10 + 1).astype(np.uint8)[:, None]})
    return {
        part: ["", f"{file}.mat", md5(folder / f"{file}.mat")] for part, file in (("train", "train"), ("test", "t10k"))
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root that holds small files for every data set that reads any."""
    monkeypatch.setattr(mnist, "CHECKSUMS", idx(tmp_path / "MNIST/raw"))
    monkeypatch.setattr(fashion_mnist, "CHECKSUMS", idx(tmp_path / "FashionMNIST/raw"))
    monkeypatch.setattr(files, "VALIDATION", ASIDE)
    monkeypatch.setattr(cifar10, "VALIDATION", ASIDE)
    monkeypatch.setattr(USPS, "split_list", usps_files(tmp_path / mnist_usps.FOLDER))
    monkeypatch.setattr(SVHN, "split_list", svhn_files(tmp_path / mnist_svhn.FOLDER))
    for module in (mnist_usps, mnist_svhn):
        monkeypatch.setattr(module, "VALIDATION", ASIDE)
    (tmp_path / "pictures").mkdir()
    for i in range(20):
        Image.fromarray(np.full((16, 16), i, np.uint8)).save(tmp_path / f"pictures/{i}.png")
    monkeypatch.chdir(tmp_path)
    sums = cifar_batches(tmp_path / CIFAR10.base_folder)
    for batches in ("train_list", "test_list"):
        monkeypatch.setattr(CIFAR10, batches, [[name, sums[name]] for name, _ in getattr(CIFAR10, batches)])
    monkeypatch.setitem(CIFAR10.meta, "md5", sums["batches.meta"])
    return tmp_path


@pytest.fixture
def mirror(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as MNIST's only mirror, with archives of small files whose checksums are expected."""
    folder = tmp_path_factory.mktemp("mirror")
    monkeypatch.setattr(mnist, "CHECKSUMS", idx(folder / "raw"))
    for path in (folder / "raw").iterdir():
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.setattr(files, "VALIDATION", ASIDE)
    monkeypatch.setattr(MNIST, "resources", [(name, md5(folder / name)) for name, _ in MNIST.resources])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True).start()
    serve_from(server.server_port, monkeypatch)
    yield folder
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing on stderr."""


def serve_from(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{port}/"])


@pytest.mark.parametrize("name", datasets.names())
def test_every_dataset_keeps_the_contract(name: str, root: Path) -> None:
    splits = datasets.load(name, root, {})
    shape = splits.train.x.shape[1:]
    for part in splits.parts:
        x, label = part.x, part.label
        assert x.shape[1:] == shape
        assert x.is_contiguous()
        if splits.levels:
            assert x.dtype == torch.uint8
            assert x.dim() in (4, 5)
            assert x.max().item() < splits.levels
        else:
            assert x.dtype == torch.float32
            assert x.dim() == 2
        if splits.classes:
            assert label.dtype == torch.int64
            assert label.shape in (x.shape[:1], x.shape[:2])  # of an image, or of each of its channels
            assert label.unique().tolist() == list(range(splits.classes))
        else:
            assert label is None
        if part.partner is not None:
            assert part.partner.dtype == x.dtype and part.partner.is_contiguous()
            assert part.partner.shape[1:] == splits.train.partner.shape[1:]
            assert not splits.paired or len(part.partner) == len(x)
            assert part is splits.train or len(part.partner) == len(x), "held-out data are translated one by one"
    if splits.truth:
        assert splits.truth.centres.dtype == torch.float32
        assert splits.truth.centres.shape[1:] == shape


@pytest.mark.parametrize("name", datasets.names())
def test_every_dataset_is_the_same_each_time(name: str, root: Path) -> None:
    first, second = datasets.load(name, root, {}), datasets.load(name, root, {})
    for one, other in zip(first.parts, second.parts, strict=True):
        assert torch.equal(one.x, other.x)
        for left, right in zip(one[1:], other[1:], strict=True):
            assert right is None if left is None else torch.equal(left, right)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("rinf", {}, "unknown data set 'rinf'; did you mean 'ring'?"),
        ("ring", {"sgima": 0.1}, "ring: unknown setting 'sgima'; did you mean 'sigma'?"),
        ("ring", {"sigma": 0.0}, "ring: sigma = 0.0: input should be greater than 0"),
        ("ring", {"sigma": math.nan}, "ring: sigma = nan: input should be a finite number"),
        ("ring", {"radius": "two"}, "ring: radius = 'two': input should be a valid number"),
        ("grid", {"train": 0}, "grid: train = 0: input should be greater than 0"),
        ("grid", {"test": 0.5}, "grid: test = 0.5: input should be a valid integer"),
        ("grid", {"seed": -1}, "grid: seed = -1: input should be greater than or equal to 0"),
        ("digits", {"test": 0}, "digits: test = 0: input should be greater than 0"),
        ("digits", {"test": 718}, "digits: train + validation + test = 1798: there are 1797 images; ask for fewer"),
        ("stacked_digits", {"train": 0}, "stacked_digits: train = 0: input should be greater than 0"),
        ("stacked_mnist", {"validation": 0.5}, "stacked_mnist: validation = 0.5: input should be a valid integer"),
        ("mnist", {"root": "here"}, "mnist: unknown setting 'root'; known: none"),
    ],
)
def test_wrong_settings_are_named_in_one_line(name: str, settings: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        datasets.load(name, tmp_path, settings)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_as_they_are(name: str, root: Path) -> None:
    splits = datasets.load(name, root, {})
    expected = np.random.default_rng(30).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    assert np.array_equal(splits.train.x[:, 0].numpy(), expected[:20])
    assert np.array_equal(splits.validation.x[:, 0].numpy(), expected[20:])
    assert splits.validation.label.tolist() == [*range(10)]
    assert splits.test.label.tolist() == [*range(10)] * 2
    assert (splits.classes, splits.levels) == (10, 256)


def test_binary_mnist_is_white_as_often_as_mnist_is_grey(root: Path) -> None:
    grey, drawn = datasets.load("mnist", root, {}), datasets.load("mnist_binary", root, {})
    assert drawn.levels == 2 and drawn.classes == 10 and torch.equal(drawn.train.label, grey.train.label)
    for one, other in zip(grey.parts, drawn.parts, strict=True):
        share, white = one.x.double() / 255, other.x.double()
        assert white[share == 0].sum() == 0 and white[share == 1].all()
        for low in (0, 0.25, 0.5, 0.75):
            like = (low <= share) & (share <= low + 0.25)
            assert white[like].mean().item() == pytest.approx(share[like].mean().item(), abs=0.03)


def test_binary_mnist_is_drawn_from_its_seed(root: Path) -> None:
    first, again, other = (datasets.load("mnist_binary", root, {"seed": seed}) for seed in (0, 0, 1))
    assert torch.equal(first.train.x, again.train.x) and not torch.equal(first.train.x, other.train.x)
    assert not torch.equal(first.test.x, other.test.x)


def test_binary_mnist_drawn_several_times_holds_every_digit_as_often(root: Path) -> None:
    once, thrice = (datasets.load("mnist_binary", root, {"draws": draws}) for draws in (1, 3))
    n = len(once.train.x)
    for part in ("validation", "test"):
        assert torch.equal(getattr(thrice, part).x, getattr(once, part).x)
    assert torch.equal(thrice.train.x[:n], once.train.x)
    draws = thrice.train.x.unflatten(0, (3, n))
    assert all(not torch.equal(draws[a], draws[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert torch.equal(thrice.train.label.unflatten(0, (3, n)), once.train.label.expand(3, n))
    grey = datasets.load("mnist", root, {}).train.x
    assert (draws[:, grey == 0] == 0).all() and (draws[:, grey == 255] == 1).all()


def test_stacked_mnist_is_made_of_mnists_files(root: Path) -> None:
    splits = datasets.load("stacked_mnist", root, {"train": 200, "validation": 150, "test": 100})
    assert splits.train.x.shape == (200, 3, 28, 28)
    known = set.union(*(singles_of(part) for part in datasets.load("mnist", root, {}).parts))
    assert len(known) == sum(IMAGES.values())
    for part in splits.parts:
        assert singles_of(part) == known, "each part is drawn from all digits: 300 draws leave none of 50 out"
    (root / "MNIST/raw/t10k-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(ValueError, match=r"mnist: .*t10k-labels-idx1-ubyte is damaged"):
        datasets.load("stacked_mnist", root, {})


def singles_of(split: datasets.Split) -> set[tuple[bytes, int]]:
    """Every channel as an image, with its label."""
    channels, labels = split.x.flatten(0, 1), split.label.flatten().tolist()
    return {(image.numpy().tobytes(), label) for image, label in zip(channels, labels, strict=True)}


def test_cifar_batches_are_read_as_they_are(root: Path) -> None:
    splits = datasets.load("cifar10", root, {})
    assert splits.train.x.shape == (40, 3, 32, 32) and splits.validation.x.shape == (10, 3, 32, 32)
    expected = np.random.default_rng(5).integers(0, 256, (10, 3072), dtype=np.uint8)  # red, then green, then blue rows
    assert np.array_equal(splits.test.x.flatten(1).numpy(), expected)
    last = np.random.default_rng(4).integers(0, 256, (10, 3072), dtype=np.uint8)
    assert np.array_equal(splits.validation.x.flatten(1).numpy(), last)
    assert splits.train.label.tolist() == [*range(10)] * 4


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "MNIST/raw/t10k-labels-idx1-ubyte"),
        ("fashion_mnist", "FashionMNIST/raw/train-images-idx3-ubyte"),
        ("cifar10", "cifar-10-batches-py/test_batch"),
        ("cifar10", "cifar-10-batches-py/batches.meta"),
    ],
)
def test_a_damaged_file_is_named_with_both_checksums(name: str, file: str, root: Path) -> None:
    path = root / file
    whole = md5(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError) as error:
        datasets.load(name, root, {})
    assert str(error.value) == f"{name}: {path} is damaged: MD5 {md5(path)}, not {whole}; delete it and run again"


def test_usps_and_svhn_are_read_as_they_are(root: Path) -> None:
    usps, svhn = (datasets.load(name, root, {}) for name in ("mnist_usps", "mnist_svhn"))
    pixels = np.random.default_rng(30).integers(0, 3, (30, 16, 16))
    assert np.array_equal(usps.train.x[:, 0].numpy(), np.array([0, 127, 255])[pixels[:20]]), "-1, 0, 1 in 256 levels"
    assert usps.train.label.tolist() == [*range(10)] * 2
    pixels = np.random.default_rng(30).integers(0, 256, (32, 32, 3, 30), dtype=np.uint8)
    assert np.array_equal(svhn.train.x.permute(2, 3, 1, 0).numpy(), pixels[..., :20])
    assert svhn.train.label.tolist() == [*range(1, 10), 0] * 2
    for splits, size in ((usps, (1, 16, 16)), (svhn, (3, 32, 32))):
        assert not splits.paired and splits.levels == 256 and splits.train.partner.shape == (20, *size)


def test_held_out_partners_are_of_the_same_class(root: Path) -> None:
    digits = datasets.load("mnist", root, {}).test
    padded = {image.numpy().tobytes(): label for image, label in zip(digits.x, digits.label.tolist(), strict=True)}
    test = datasets.load("mnist_svhn", root, {}).test
    inner = test.partner[:, 1:2, 2:-2, 2:-2].contiguous()
    assert [padded[image.numpy().tobytes()] for image in inner] == test.label.tolist()
    assert len(test.x) == 20 and not test.partner[:, :, :2].any()


def test_true_checksums_are_those_of_the_real_files() -> None:
    """By md5sum of the unpacked files."""
    assert mnist.CHECKSUMS == {
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    }
    assert fashion_mnist.CHECKSUMS == {
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    }
    for checksums in (mnist.CHECKSUMS, fashion_mnist.CHECKSUMS):
        assert {f"{name}.gz" for name in checksums} == {name for name, _ in MNIST.resources}
        assert len(set(checksums.values()) | set(dict(MNIST.resources).values())) == 8
    assert not set(mnist.CHECKSUMS.values()) & set(fashion_mnist.CHECKSUMS.values())


def test_missing_files_are_downloaded_once(mirror: Path, tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    first = datasets.load("mnist", root, {})
    assert first.train.x.shape == (20, 1, 28, 28)
    assert sorted(path.name for path in root.iterdir()) == ["MNIST"]
    assert socket.getdefaulttimeout() is None
    for archive in mirror.glob("*.gz"):
        archive.unlink()
    assert torch.equal(datasets.load("mnist", root, {}).train.x, first.train.x)


def test_archives_at_hand_are_used(mirror: Path, tmp_path: Path) -> None:
    folder = tmp_path / "MNIST/raw"
    folder.mkdir(parents=True)
    for archive in mirror.glob("*.gz"):
        archive.rename(folder / archive.name)
    assert datasets.load("mnist", tmp_path, {}).test.x.shape == (20, 1, 28, 28)
    archive = folder / "train-images-idx3-ubyte.gz"
    archive.write_bytes(b"half of it")
    assert len(datasets.load("mnist", tmp_path, {}).train.x) == 20  # unpacked before: not looked at
    (folder / "train-images-idx3-ubyte").unlink()
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz is damaged: MD5 .* delete it and run again"):
        datasets.load("mnist", tmp_path, {})


@pytest.mark.parametrize("fault", ["absent", "damaged", "empty"])
def test_a_failed_download_leaves_nothing_and_says_what_to_do(fault: str, mirror: Path, tmp_path: Path) -> None:
    last = mirror / "t10k-labels-idx1-ubyte.gz"  # the others will be whole
    last.unlink() if fault == "absent" else last.write_bytes(b"" if fault == "empty" else last.read_bytes()[:20])
    with pytest.raises(OSError) as error:
        datasets.load("mnist", tmp_path, {})
    message = str(error.value)
    assert message.startswith(f"mnist: no MNIST/raw/train-labels-idx1-ubyte under {tmp_path} and the download failed (")
    assert message.endswith("BENCHMARK_DATA_ROOT to a folder that holds it, or connect and run again")
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_silent_server_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        serve_from(silent.getsockname()[1], monkeypatch)
        with pytest.raises(OSError, match=r"download failed \(.*timed out"):
            datasets.load("mnist", tmp_path, {})


def test_a_disk_without_room_is_told_before_a_download_starts(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=69 << 20))
    monkeypatch.setattr(files, "download", None)
    with pytest.raises(
        OSError, match=r"mnist: the download takes 70 MiB and the disk of .* has 69 MiB free: free some"
    ):
        datasets.load("mnist", tmp_path / "new", {})
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_not_taken_for_a_failed_download(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*arguments: object, **keywords: object) -> None:
        raise OSError(28, "No space left on device")

    (root / CIFAR10.base_folder / "test_batch").unlink()
    monkeypatch.setattr(cifar10.CIFAR10, "download", write)
    with pytest.raises(OSError, match="No space left on device") as error:
        datasets.load("cifar10", root, {})
    assert error.value.filename == str(root)
