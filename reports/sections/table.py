"""The comparison: the main table and the one with every column, as Markdown, CSV and LaTeX; the page's own is above."""

from pathlib import Path

from reports import statistics, tables
from reports.load import Report
from reports.sections import Fragment

POSITION = 10


def render(report: Report, out: Path) -> Fragment:
    full = statistics.compare(report)
    main = statistics.main_part(full)
    for stem, part in (("table", main), ("full", full)):
        text = tables.markdown(tables.table(part), tables.legend(report, part))
        (out / f"{stem}.md").write_text(text, encoding="utf-8")
        part.to_csv(out / f"{stem}.csv", index=False)
    paper = tables.latex(tables.table(main), tables.legend(report, main), f"Comparison on {report.benchmark}")
    (out / "table.tex").write_text(paper, encoding="utf-8")
    report.scores.to_csv(out / "seeds.csv", index=False)
    swept = ("sweeps.csv",) * bool(len(report.sweeps))
    for name in swept:
        report.sweeps.to_csv(out / name, index=False)
    return Fragment(
        title="Comparison",
        text=statistics.headline(main),
        legend=tables.legend(report, full),
        files=("table.md", "table.csv", "table.tex", "full.md", "full.csv", "seeds.csv", *swept),
    )
