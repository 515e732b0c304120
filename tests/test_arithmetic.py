"""A worker's arithmetic: faster than the default, and as exact."""

from collections.abc import Iterator

import pytest
import torch

from pipeline import arithmetic


@pytest.fixture(autouse=True)
def hastened() -> Iterator[None]:
    arithmetic.hasten()
    yield
    arithmetic.hasten(False)


@pytest.mark.parametrize("sizes", [(256, 2, 128), (256, 128, 128), (100, 784, 200), (100, 3136, 32), (17, 1000, 33)])
def test_products_are_exact_to_float32(sizes: tuple[int, int, int]) -> None:
    rows, inner, columns = sizes
    x, y = torch.randn(rows, inner), torch.randn(inner, columns)
    bound = inner * 2.0**-24 * (x.double().abs() @ y.double().abs())  # Higham, "Accuracy and Stability", section 3.1
    assert ((x @ y - x.double() @ y.double()).abs() <= bound).all()
    assert ((torch.nn.functional.linear(x, y.t()) - x.double() @ y.double()).abs() <= bound).all()


def test_a_product_that_would_lose_bits_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "exact", lambda: False)
    arithmetic.hasten()
    assert torch.backends.mkldnn.matmul.fp32_precision == "none"


def test_denormal_numbers_are_flushed() -> None:
    assert torch.full((8,), 1e-39).mul(1.0).eq(0).all()
    arithmetic.hasten(False)
    assert torch.full((8,), 1e-39).mul(1.0).gt(0).all()
