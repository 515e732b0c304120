"""Inception's features are torch-fidelity's, whatever the weights: here they are random."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from benchmarks import inception
from benchmarks.inception import Inception, extractor
from benchmarks.metrics.frechet import frechet_distance
from benchmarks.metrics.inception_score import inception_score
from benchmarks.metrics.kernel import kernel_distance

CPU = torch.device("cpu")


class Untrained(FeatureExtractorInceptionV3):
    """The same net before weights are loaded."""

    def load_state_dict(self, *ignored: object, **also: object) -> None:
        rng = torch.Generator().manual_seed(0)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, generator=rng)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1, generator=rng)
                module.running_var.uniform_(0.5, 1.5, generator=rng)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "none.pth")
    net = Untrained("random", ["2048"], feature_extractor_weights_path=folder / "none.pth")
    torch.save(net.state_dict(), folder / "random.pth")
    return folder / "random.pth"


@pytest.fixture(scope="module")
def ours(weights: Path) -> Inception:
    return Inception(weights, sha256="")


@pytest.fixture(scope="module")
def theirs(weights: Path) -> FeatureExtractorInceptionV3:
    layers = ["2048", "logits_unbiased"]
    return FeatureExtractorInceptionV3("theirs", layers, feature_extractor_weights_path=weights)


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    extractor.cache_clear()
    yield
    extractor.cache_clear()


def levels(n: int, channels: int, size: int, seed: int = 0) -> Tensor:
    """Smooth random images of 256 levels, uint8."""
    x = torch.rand(n, channels, 4, 4, generator=torch.Generator().manual_seed(seed))
    return (nn.functional.interpolate(x, size=size, mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)


def as_input(x: Tensor) -> Tensor:
    return x.float() / 127.5 - 1


def off(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 28), (3, 320)])
def test_features_and_probabilities_are_torch_fidelitys(
    ours: Inception, theirs: FeatureExtractorInceptionV3, channels: int, size: int
) -> None:
    x = levels(3, channels, size)
    features, probabilities = ours(as_input(x), batch=2)
    expected, logits = theirs(x.expand(-1, 3, -1, -1))
    assert features.shape == (3, 2048)
    assert off(features, expected) < 2e-6  # a hundred layers rounded to 6e-8; half a pixel's shift is 1e-4 and more
    assert torch.allclose(probabilities, logits.softmax(dim=1), rtol=1e-3, atol=1e-7)


def test_numbers_of_the_same_images_are_torch_fidelitys(ours: Inception, theirs: FeatureExtractorInceptionV3) -> None:
    """From pixels to FID, KID and IS, each by its own net and its own formula."""
    pixels = [levels(16, 3, 32, seed) for seed in (1, 2)]
    (real, _), (fake, p) = (ours(as_input(x)) for x in pixels)
    (there, _), (other, logits) = (theirs(x) for x in pixels)
    statistics = [fid_features_to_statistics(x.double()) for x in (there, other)]
    fid = fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    kid = kid_features_to_metric(there, other, kid_subsets=1, kid_subset_size=16, verbose=False)
    isc = isc_features_to_metric(logits, splits=1)
    assert fid > 0.1
    assert frechet_distance(real=real, fake=fake) == pytest.approx(fid, rel=1e-4)
    assert kernel_distance(real=real, fake=fake) == pytest.approx(kid["kernel_inception_distance_mean"], rel=1e-4)
    assert inception_score(probabilities=p) == pytest.approx(isc["inception_score_mean"], rel=1e-4)


def test_bfloat16_changes_features_and_fid_little(weights: Path, ours: Inception) -> None:
    real, fake = as_input(levels(4, 1, 8, 1)), as_input(levels(4, 1, 8, 2)) * 0.5
    rough = Inception(weights, sha256="", precision="bf16")
    (a, _), (b, _) = ours(real), ours(fake)
    (c, _), (d, _) = rough(real), rough(fake)
    assert 0 < off(c, a) < 0.02
    assert frechet_distance(real=c, fake=d) == pytest.approx(frechet_distance(real=a, fake=b), rel=0.05)


def test_offline_it_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def offline(url: str, timeout: float) -> None:
        raise URLError("no route to host")

    monkeypatch.delenv(inception.VARIABLE, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(inception.weights.urllib.request, "urlopen", offline)
    assert extractor(CPU) is extractor(CPU) is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"no {tmp_path}/checkpoints/{inception.FILE} and the download failed" in said
    assert "no route to host" in said and inception.URL in said and inception.VARIABLE in said


def test_weights_are_downloaded_on_first_use(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.delenv(inception.VARIABLE, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(
        inception.weights.urllib.request, "urlopen", lambda url, timeout: asked.append(url) or weights.open("rb")
    )
    assert extractor(CPU) is None  # it is not what the checksum says
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(weights.read_bytes()).hexdigest()[:8])
    monkeypatch.setattr(Inception.__init__, "__kwdefaults__", {"sha256": inception.SHA256, "precision": "fp32"})
    extractor.cache_clear()
    assert isinstance(extractor(CPU), Inception)
    extractor.cache_clear()
    assert isinstance(extractor(CPU), Inception)
    assert asked == [inception.URL] * 2  # the damaged one, and the right one once


def test_without_torch_fidelity_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    assert extractor(CPU) is None
    assert capsys.readouterr().err == (
        "what needs Inception is n/a: torch-fidelity is not installed: pip install torch-fidelity\n"
    )


def test_weights_that_are_not_the_published_ones_are_refused(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inception.VARIABLE, str(weights))
    with pytest.raises(OSError, match=r"random.pth are damaged: SHA-256 [0-9a-f]{8}, not 6726825d; download https"):
        extractor(CPU)


def test_weights_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inception.VARIABLE, str(tmp_path / "gone.pth"))
    with pytest.raises(OSError, match=r"gone.pth cannot be read \(No such file or directory\)"):
        extractor(CPU)


def test_weights_run_no_code(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "touched",))

    torch.save({"fc.bias": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(OSError, match=r"bad.pth hold something other than tensors"):
        Inception(tmp_path / "bad.pth", sha256="")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 2, 8, 8), "grey or RGB images, not 2 channels"),
        (torch.full((2, 3, 8, 8), 255.0), r"x lies in \[255, 255\], not in \[-1, 1\]"),
        (torch.full((2, 3, 8, 8), torch.nan), r"not in \[-1, 1\]"),
        (torch.zeros(0, 3, 8, 8), r"x has the shape \(0, 3, 8, 8\)"),
    ],
)
def test_bad_input_is_one_line(weights: Path, ours: Inception, x: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ours(x)
    with pytest.raises(ValueError, match="precision 'fp8' is unknown"):
        Inception(weights, sha256="", precision="fp8")
