"""Neighbours in few dimensions by k-d trees: in time n log n.

J. L. Bentley, "Multidimensional Binary Search Trees Used for Associative Searching", 1975, as SciPy has them. Their
distances are float64 differences, summed otherwise than in `neighbours`, which computes those that count anew.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

DIMS = 3  # in more, products of all pairs are as fast
ROWS = 1024  # balls looked into at once
WIDER = 1e-9  # a ball's radius is drawn longer by this share, so that no rounding loses a sample on its surface


def nearest(x: Tensor, k: int) -> Tensor:
    """The k + 1 samples nearest to each of x (n, D), itself among them unless as many lie on it: (n, k + 1)."""
    points = _array(x)
    return torch.from_numpy(cKDTree(points).query(points, k + 1)[1]).to(x.device)


def pairs(a: Tensor, b: Tensor, reach: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Indices (i, j) of all pairs with |a_i - b_j|^2 <= reach_i (N,), and of hardly any other, part by part."""
    tree, radius = cKDTree(_array(b)), _array(reach.sqrt() * (1 + WIDER))
    points = _array(a)
    for start in range(0, len(a), ROWS):
        part = slice(start, start + ROWS)
        found = tree.query_ball_point(points[part], radius[part])
        count = np.fromiter(map(len, found), np.int64, len(found))
        i = np.repeat(np.arange(start, start + len(found)), count)
        j = np.fromiter(chain.from_iterable(found), np.int64, count.sum())
        yield torch.from_numpy(i).to(a.device), torch.from_numpy(j).to(a.device)


def _array(x: Tensor) -> np.ndarray:
    return x.double().cpu().numpy()
