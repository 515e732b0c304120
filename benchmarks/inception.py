"""Inception's features and class probabilities of images, through torch-fidelity's copy of the net that defines FID.

M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017,
arXiv:1706.08500; the net and its converted TensorFlow weights are those of A. Obukhov et al., torch-fidelity, 2020.
Images in [-1, 1] are rounded to 256 levels, grey ones are repeated to three channels, and all are resized to 299 x 299
as TensorFlow 1 did: bilinear, pixel i of the result at i * size / 299, no smoothing. Probabilities are the softmax of
the logits without bias, as in torch-fidelity's inception score.
Departure: resizing is two matrix products and batch normalisation is part of the convolutions, which changes rounding
only (features agree to six digits). `precision="bf16"` runs convolutions in bfloat16, which changes features by about
half a percent.
"""

import io
import os
import sys
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks import weights
from benchmarks.metrics.common.checks import check_images

SIDE = 299
SMALLEST = 16  # pixels a side of what a benchmark shows it: an image of 8 x 8 has nothing in it that the net knows
BATCH = {"cpu": 8}  # images at once whose activations stay in a processor's cache; elsewhere 64
FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SHA256 = "6726825d"  # how it begins
VARIABLE = "BENCHMARK_INCEPTION_WEIGHTS"


@cache
def extractor(device: torch.device, precision: str = "fp32") -> "Inception | None":
    """The extractor, or None and one line on stderr that says what is missing. Weights that are wrong are an error.

    They are downloaded to where torch keeps such, unless the variable says where they are.
    """
    asked, file = os.environ.get(VARIABLE), Path(torch.hub.get_dir()) / "checkpoints" / FILE
    try:
        import torch_fidelity  # noqa: F401  (not on every machine that works for another)
    except ImportError:
        _warn("torch-fidelity is not installed: pip install torch-fidelity")
        return None
    if not asked:
        try:
            weights.ensure(file, URL, SHA256)
        except OSError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            _warn(f"no {file} and the download failed ({reason}); put {URL} there, or set {VARIABLE} to where it is")
            return None
    return Inception(Path(asked) if asked else file, precision=precision).to(device)


def _warn(reason: str) -> None:
    print(f"what needs Inception is n/a: {reason}", file=sys.stderr, flush=True)


class Inception(nn.Module):
    """Images in [-1, 1] to their (N, 2048) features and (N, 1008) class probabilities."""

    def __init__(self, file: Path, *, sha256: str = SHA256, precision: str = "fp32") -> None:
        super().__init__()
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"precision {precision!r} is unknown: choose fp32 or bf16")
        from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, FeatureExtractorInceptionV3

        content = _verified(file, sha256)
        net = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=content)
        self.bf16 = precision == "bf16"
        self.trunk = nn.Sequential(*(layer for layer in net.children() if layer is not net.fc))
        self.head = nn.Parameter(net.fc.weight, requires_grad=False)  # (1008, 2048)
        for layer in list(self.trunk.modules()):
            if isinstance(layer, BasicConv2d):
                layer.conv, layer.bn = fuse_conv_bn_eval(layer.conv, layer.bn), nn.Identity()
        self.to(memory_format=torch.channels_last).eval()

    @torch.no_grad()
    def forward(self, x: Tensor, batch: int | None = None) -> tuple[Tensor, Tensor]:
        check_images("x", x)
        if x.shape[1] not in (1, 3):
            raise ValueError(f"Inception reads grey or RGB images, not {x.shape[1]} channels")
        features = torch.cat(
            [self._features(part) for part in x.split(batch or BATCH.get(x.device.type, 64))]
        )  # (N, C, H, W) -> (N, 2048)
        return features, (features @ self.head.T).softmax(dim=1)

    def _features(self, x: Tensor) -> Tensor:
        levels = ((x.float() + 1) * 127.5).round().clamp(0, 255).expand(-1, 3, -1, -1)
        x = resized(levels).sub_(128).div_(128).contiguous(memory_format=torch.channels_last)  # (B, 3, 299, 299)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            return self.trunk(x).flatten(1).float()


def resized(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 299, 299), bilinear."""
    rows, columns = (_weights(size).to(x.device) for size in x.shape[2:])
    return rows @ (x @ columns.T)


def _weights(size: int) -> Tensor:
    """(299, size) shares that each pixel of ``size`` has in one of the result."""
    at = torch.arange(SIDE, dtype=torch.float64) * (size / SIDE)
    low = at.long()
    share = (at - low)[:, None]
    one = torch.eye(size, dtype=torch.float64)
    return (one[low] * (1 - share) + one[(low + 1).clamp_max(size - 1)] * share).float()


def _verified(file: Path, sha256: str) -> io.BytesIO:
    """The weights for torch-fidelity, which would run whatever code a file holds: it is given tensors only."""
    safe = io.BytesIO()
    torch.save(weights.tensors("Inception's", file, sha256, f"download {URL}"), safe)
    safe.seek(0)
    return safe
