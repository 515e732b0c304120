"""A part of a set that is the same part whatever order the set comes in."""

import numpy as np
import torch
from torch import Tensor


def draw(x: Tensor, n: int) -> Tensor:
    """Indices of ``n`` samples of x (N, ...), or of all where there are fewer, chosen by chance and without repeats.

    The samples are sorted before lots are drawn, so that the choice hangs on what they are and not on where they stand.
    """
    rows = np.ascontiguousarray(x.flatten(1).float().cpu().numpy())  # (N, D)
    by_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()  # sorts much faster than columns
    order = torch.from_numpy(by_bytes.argsort(kind="stable"))
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:n]
    return order[chosen].to(x.device)
