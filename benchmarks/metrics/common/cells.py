"""A partition of space into the cells of k-means, fitted to training data."""

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from benchmarks.metrics.common.draw import draw
from benchmarks.metrics.common.undefined import Undefined

SEEN = 5000  # training samples that the cells are fitted to
ROUNDS = 30  # of Lloyd's algorithm at most: a partition need not be the best one


class Cells:
    """``k`` cells around the means of x (N, D)."""

    def __init__(self, x: Tensor, k: int) -> None:
        if len(x) < k:
            raise Undefined(f"{k} cells cannot be fitted to {len(x)} training samples: give {k} or more")
        seen = x[draw(x, SEEN)]
        # float64: a sum's order, which differs with the number of threads, then decides no sample's cell
        self.means = KMeans(k, n_init=1, max_iter=ROUNDS, random_state=0).fit(seen.double().cpu().numpy())

    def of(self, x: Tensor) -> Tensor:
        """The cell that each of x (n, D) lies in, (n,)."""
        return torch.from_numpy(self.means.predict(x.double().cpu().numpy())).long()
