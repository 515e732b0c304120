"""The section of settings: whose each is, and where sizes differ within a family."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
from test_reports_statistics import report

from pipeline import params
from pipeline.report import settings
from reports.load import SETTING, Report
from reports.sections import settings as section

RUN_WITH = [
    ("vae", "VAEs", "vae", "latent", 2, "house"),
    ("vae", "VAEs", "vae", "lr", 0.003, "search"),
    ("vae", "VAEs", "vae", "width", 128, "paper"),
    ("iwae", "VAEs", "iwae", "latent", 2, "house"),
    ("iwae", "VAEs", "iwae", "k", 5, "paper"),
    ("iwae", "VAEs", "iwae", "width", 96, "house"),
    ("gan", "GANs", "gan", "width", 64, "paper"),
]


def made(rows: list[tuple[object, ...]] = RUN_WITH) -> Report:
    found = report({"vae": [1.0], "iwae": [2.0], "gan": [3.0]})
    numbers = pd.DataFrame({"model": "vae", "seed": [0, 1], "metric": "parameters", "value": 1000.0})
    return replace(found, settings=pd.DataFrame(rows, columns=SETTING), scores=pd.concat([found.scores, numbers]))


def test_what_is_not_the_papers_stands_with_its_owner_beside_sizes(tmp_path: Path) -> None:
    fragment = section.render(replace(made(), unmended={"gan": "as it is"}), tmp_path)
    assert fragment is not None and fragment.legend is not None
    ((_, table),) = fragment.tables
    assert table.headings == ("File", "Parameters", "Latent", "Width", "Depth", "Settings")
    rows = {row.model: [cell.text for cell in row.cells] for row in table.rows}
    assert rows == {
        "vae": ["vae", "1,000", "2", "128", "", "lr 0.003 (search)"],
        "iwae": ["iwae", "n/a", "2", "96", "", ""],
        "gan": ["gan", "n/a", "", "64", "", ""],
    }
    assert fragment.legend.notes == (("gan", "no settings mend it: as it is"),)
    assert len(pd.read_csv(tmp_path / "settings.csv")) == len(RUN_WITH)


def test_sizes_that_differ_within_a_family_are_named(tmp_path: Path) -> None:
    assert list(section.unlike(made())) == ["VAEs, width: 128 (vae); 96 (iwae)."]
    alike = list(section.unlike(made([RUN_WITH[0], RUN_WITH[3], RUN_WITH[6]])))
    assert alike == ["Latents, widths and depths are equal within every family."]
    assert section.render(made([]), tmp_path) is None


def test_settings_of_a_real_benchmark_name_their_owners() -> None:
    found = settings(params.load().benchmark("ring"), ["vae", "wgan"]).set_index(["model", "setting"])
    assert (found.value["vae", "latent"], found.owner["vae", "latent"]) == (2, "house")
    assert (found.value["vae", "depth"], found.owner["vae", "depth"]) == (3, "house")
    assert found.family["wgan", "clip"] == "GANs" and found.file["wgan", "clip"] == "wgan"
