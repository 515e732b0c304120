"""The small picture that stands for a benchmark: real data beside the best contestants of three families."""

from itertools import islice

from matplotlib.figure import Figure

from reports import ranking, style
from reports.load import ORACLE, Report
from reports.looks import STRANGER
from reports.pictures import cloud, ground, pick, strips, tile

BESIDE = 3  # contestants beside real data
SIDE = 1.25  # inches of a panel
EACH = 5  # images in a row and in a column of a panel; frames of a few clips
DOTS = 800


def draw(report: Report) -> Figure:
    models = [model for model in (ORACLE, *best(report)) if model in report.samples]
    figure, panels = style.panels(len(models), len(models), SIDE, SIDE + 0.2)
    for axes, model in zip(panels, models, strict=True):
        samples = report.samples[model]
        axes.set_title("real data" if model == ORACLE else model, fontsize=8, color=style.colour(model, report.palette))
        if samples.x.ndim == 2:
            cloud(axes, samples.x[:DOTS], style.colour(model, report.palette), size=2)
            ground(axes, report.density)
            continue
        clips = samples.x.ndim == 5
        axes.imshow(
            strips(samples, EACH, EACH) if clips else tile(samples, pick(samples._replace(label=None), EACH, EACH))
        )
        axes.set_axis_off()
    return figure


def best(report: Report) -> list[str]:
    """The contestant with the highest score of each family, the highest first; where nothing is ranked, the first."""
    models = list(report.models)
    if len(models) > 1 and ranking.ranked(report):
        scores = ranking.spread(ranking.runs(report).assign(benchmark=""), ranking.SCORE.name).mean()
        models.sort(key=lambda model: -scores.get(model, 0))
    families: dict[str, str] = {}
    for model in (model for model in models if model in report.samples):
        families.setdefault(report.palette.get(model, STRANGER).family, model)
    others = [model for model in models if model in report.samples and model not in families.values()]
    return list(islice([*families.values(), *others], BESIDE))
