"""Draw the pictures of docs/divergences.md: `python -m pipeline.teach`.

Every number in them comes from the functions that score the models.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import minimize
from torch import Tensor

from benchmarks.metrics.common.histograms import jensen_shannon
from benchmarks.metrics.divergence import divergences, kl, log_mass
from benchmarks.metrics.transport import wasserstein
from reports import style

DOCS = Path("docs")
STEP = 0.05  # side of the cells that stand for densities, in sigmas
REACH = 24.0
FEW, MANY = 300, 20_000  # samples matched, samples counted
APART = 6.0  # sigmas between data and samples where the critics are drawn
FAR = 8
MODES = (3.0, 5.0)  # the two modes that one Gaussian is fitted to lie this far on either side of 0
COLOURS = dict(zip(("KL", "JS", "W1"), style.HUES, strict=False))


class Distances(NamedTuple):
    kl: float
    js: float
    w1: float


class Gaussian(NamedTuple):
    mean: float
    sigma: float


def cells() -> Tensor:
    """Places of small cells on a line.  # (C, 1)"""
    return torch.arange(-REACH / STEP, REACH / STEP + 1, dtype=torch.float64)[:, None]


def log_shares(*means: float, sigma: float = 1.0) -> Tensor:
    """Log share of every small cell in the Gaussians of width sigma around the means, mixed evenly.  # (C,)"""
    return log_mass(cells=cells(), size=STEP, centres=torch.tensor(means)[:, None], sigma=sigma)


def quantiles(n: int) -> Tensor:
    """n points that stand for N(0, 1).  # (n, 1)"""
    return torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)[:, None]


def exact(shift: float) -> Distances:
    """Of N(0, 1) and N(shift, 1)."""
    data, moved, points = log_shares(0.0), log_shares(shift), quantiles(FEW)
    w1 = wasserstein(real=points, fake=points + shift, order=1)
    return Distances(kl(moved, data), jensen_shannon(data.exp(), moved.exp()), w1)


def measured(shift: float) -> Distances:
    """The same as the metrics find it from samples."""
    rng = torch.Generator().manual_seed(round(shift))
    real, fake = (torch.randn(MANY, 1, generator=rng) for _ in range(2))
    found = divergences(fake=fake + shift, centres=torch.zeros(1, 1), sigma=1.0)
    w1 = wasserstein(real=real[:FEW], fake=fake[:FEW] + shift, order=1)
    return Distances(found.density_reverse_kl, found.density_js, w1)


def moving_apart() -> Figure:
    shifts, whole = np.linspace(0, FAR, 10 * FAR + 1), range(1, FAR + 1)
    lines, dots = (
        np.array([find(float(shift)) for shift in at]).T for find, at in ((exact, shifts), (measured, whole))
    )
    figure, (values, slopes, critics) = style.panels(3, 3, 3.6, 3.1)
    for name, line, points in zip(COLOURS, lines, dots, strict=True):
        values.plot(shifts, line, color=COLOURS[name], label=name)
        values.plot(whole, points, "o", ms=3.5, color=COLOURS[name])
        slopes.plot(shifts[1:], np.gradient(line, shifts, edge_order=2)[1:], color=COLOURS[name], label=name)
    values.axhline(math.log(2), color=style.FAINT, lw=0.8, ls=":")
    values.text(FAR, math.log(2) + 0.15, "log 2", color=style.FAINT, ha="right", fontsize=7.5)
    values.set(title="Distance", ylim=(0, FAR), ylabel="KL, JS: nats; W1: sigmas", xlabel="shift, sigmas")
    slopes.set(title="Its slope", yscale="log", ylim=(1e-4, 20), ylabel="per sigma", xlabel="shift, sigmas")
    for axes in (values, slopes):
        axes.legend(loc="upper left" if axes is values else "lower left")
    draw_critics(critics)
    return figure


def draw_critics(axes: Axes) -> None:
    """What the generator of a GAN and of a WGAN climbs, each with its best critic."""
    x = (cells() * STEP).flatten()
    data, moved = log_shares(0.0), log_shares(APART)
    for log_share, colour, name in ((data, style.FAINT, "data"), (moved, style.INK, "samples")):
        axes.fill_between(x, log_share.exp() / STEP, color=colour, alpha=0.35, lw=0, label=name)
    axes.plot(x, torch.sigmoid(data - moved), color=COLOURS["JS"], label="GAN's D(x)")
    axes.plot(x, 0.5 + (APART / 2 - x) / (2 * APART), color=COLOURS["W1"], label="WGAN's critic, scaled")
    axes.set(title=f"Best critics, shift {APART:g}", xlim=(-4, APART + 4), ylim=(0, 1.35), xlabel="x, sigmas")
    axes.legend(loc="upper center", ncols=2)


def best_fits(mode: float) -> dict[str, Gaussian]:
    """The one Gaussian that is nearest to two modes at -mode and mode, by three divergences."""
    target = log_shares(-mode, mode)
    distances = {
        "KL": lambda fit: kl(target, fit),
        "JS": lambda fit: jensen_shannon(target.exp(), fit.exp()),
        "reverse KL": lambda fit: kl(fit, target),
    }
    fits = {}
    for name, distance in distances.items():
        found = [
            minimize(
                lambda at, distance=distance: distance(log_shares(at[0], sigma=math.exp(at[1]))),
                start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-9},
            )
            for start in ((0.5, 1.0), (2.0, 0.0))  # between the modes and near one of them
        ]  # fmt: skip
        mean, log_sigma = min(found, key=lambda result: result.fun).x
        fits[name] = Gaussian(abs(float(mean)), math.exp(log_sigma))
    return fits


def one_for_two() -> Figure:
    figure, panels = style.panels(6, 3, 3.6, 2.1)
    fits = [(mode, name, fit) for mode in MODES for name, fit in best_fits(mode).items()]
    x = (cells() * STEP).flatten()
    for axes, (mode, name, fit) in zip(panels, fits, strict=True):
        axes.fill_between(x, log_shares(-mode, mode).exp() / STEP, color=style.FAINT, alpha=0.35, lw=0, label="data")
        density = log_shares(fit.mean, sigma=fit.sigma).exp() / STEP
        axes.plot(x, density, color=COLOURS[name.split()[-1]], label="nearest Gaussian")
        axes.set(title=f"Least {name}, modes at ±{mode:g}", xlim=(-11, 11), ylim=(0, 0.5), xticks=range(-10, 11, 5))
    panels[0].legend(loc="upper left")
    return figure


def main() -> None:
    with style.sheet():
        style.save(moving_apart(), DOCS / "moving_apart.png")
        style.save(one_for_two(), DOCS / "one_for_two.png")


if __name__ == "__main__":
    main()
