"""How a worker computes on a CPU: to the same accuracy as by default, in less time."""

import torch


def hasten(on: bool = True) -> None:
    """Flush denormal numbers to zero, and multiply float32 matrices with oneDNN instead of MKL where that is as exact.

    MKL uses AVX-512 on Intel's processors only. PyTorch asks oneDNN once bf16 is permitted inside a product; without
    AMX oneDNN makes no use of the permission, and where it does, it is taken back.
    """
    torch.set_flush_denormal(on)
    products = getattr(torch.backends.mkldnn, "matmul", None)  # torch before 2.9 has no such setting
    if products is not None:
        products.fp32_precision = "bf16" if on else "none"
        if not exact():
            products.fp32_precision = "none"


SHAPES = ((64, 64, 64), (256, 2, 128), (256, 128, 128), (512, 128, 1), (100, 784, 200))  # of nets of this size


def exact() -> bool:
    """Whether products keep the last bits of a float32: each number comes out as it is when multiplied by one."""
    for rows, inner, columns in SHAPES:
        x = torch.full((rows, inner), 1 + 2**-20)
        if not torch.equal(x @ torch.eye(inner, columns), x[:, :1] * torch.eye(inner, columns).sum(0)):
            return False
    return True
