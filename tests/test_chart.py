"""Pictures as files: who is in the legend, what a format is, and what is said of wrong words."""

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from test_reports_statistics import report

from pipeline.tools import chart
from reports import drawing
from reports.looks import looks

LOOKS = looks({"vae": "VAEs", "gan": "GANs", "flow": "Flows"})


def made() -> drawing.Drawing:
    """Three models with precision and recall, but for one that has no recall."""
    values = {"vae": (0.2, 0.9), "gan": (0.8, 0.3), "flow": (0.5, None)}
    rows = [
        (model, 0, name, value)
        for model, both in values.items()
        for name, value in zip(("precision", "recall"), both, strict=True)
        if value is not None
    ]
    scores = pd.DataFrame(rows, columns=["model", "seed", "metric", "value"])
    return drawing.drawing(replace(report({"vae": [1.0], "gan": [2.0], "flow": [3.0]}), scores=scores, palette=LOOKS))


def test_the_legend_names_those_that_are_drawn_in_their_looks() -> None:
    found = made()
    spec = drawing.spec(found, found.charts["precise-or-diverse"], 300, 200)
    (points,) = spec["layer"]
    assert {channel: points["encoding"][channel]["scale"] for channel in ("color", "shape")} == {
        "color": {"domain": ["vae", "gan"], "range": [LOOKS["vae"].colour, LOOKS["gan"].colour]},
        "shape": {"domain": ["vae", "gan"], "range": [LOOKS["vae"].shape, LOOKS["gan"].shape]},
    }
    assert [(row["model"], row["recall"]) for row in spec["data"]["values"]] == [("gan", 0.3), ("vae", 0.9)]


@pytest.mark.parametrize(("form", "begins"), [("svg", b"<svg"), ("pdf", b"%PDF-"), ("png", b"\x89PNG")])
def test_a_file_is_of_its_format(form: str, begins: bytes) -> None:
    found = made()
    content = drawing.drawn(found, found.charts["precise-or-diverse"], form, 300, 200)
    assert content.startswith(begins)
    if form == "svg":
        assert b">gan<" in content and b">flow<" not in content and b">recall<" in content


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rings"], "unknown benchmark 'rings'; did you mean 'ring'?"),
        (
            ["digits", "sharp-or-likley"],
            "digits: unknown question with a picture 'sharp-or-likley'; did you mean 'sharp-or-likely'?",
        ),
        (
            ["digits", "sharp-or-likely", "--models", "vae", "gan"],
            "digits, of vae, gan: fewer than two have both numbers that sharp-or-likely draws; add others",
        ),
        (["digits", "sharp-or-likely", "--models", "vaee"], "unknown model 'vaee'; did you mean 'vae'?"),
        (["digits", "sharp-or-likely", "--out", "x.jpg"], "--out x.jpg: unknown format 'jpg'"),
        (["digits", "sharp-or-likely", "--width", "0"], "--width 0: give 50 to 10000 pixels"),
    ],
)
def test_wrong_words_are_told(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["chart", *words])
    with pytest.raises(ValueError, match=said.replace("?", r"\?").replace(".", r"\.")):
        chart.main()


def test_a_question_of_kept_results_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "modes.svg"
    monkeypatch.setattr(sys, "argv", ["chart", "ring", "who-drops-modes", "--models", "vae", "gan", "--out", str(out)])
    chart.main()
    assert capsys.readouterr().out == f"{out}\n" and ">gan<" in out.read_text()
    monkeypatch.setattr(sys, "argv", ["chart", "ring"])
    chart.main()
    assert "who-drops-modes: How much of the data a model covers" in capsys.readouterr().out
