"""The small picture that stands for a benchmark: real data beside contestants from the best to the worst."""

from matplotlib.figure import Figure

from reports import ranking, style
from reports.load import ORACLE, Report
from reports.pictures import cloud, ground, pick, strips, tile

BESIDE = 4  # contestants beside real data
SIDE = 1.25  # inches of a panel
EACH = 5  # images in a row and in a column of a panel; frames of a few clips
DOTS = 800


def draw(report: Report) -> Figure:
    models = [ORACLE] * (ORACLE in report.samples) + ladder(report)
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


def ladder(report: Report) -> list[str]:
    """Contestants from the highest score to the lowest, at even places; in their order where nothing is ranked."""
    models = [model for model in report.models if model in report.samples]
    if len(models) > 1 and ranking.ranked(report):
        scores = ranking.spread(ranking.runs(report).assign(benchmark=""), ranking.SCORE.name).mean()
        models.sort(key=lambda model: -scores.get(model, 0))
    places = [round(place * (len(models) - 1) / (BESIDE - 1)) for place in range(BESIDE)]
    return [models[place] for place in dict.fromkeys(places)] if models else []
