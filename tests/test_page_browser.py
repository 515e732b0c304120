"""The pages in a real browser, where there is one: Chromium and its driver (Debian: chromium, chromium-driver)."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_reports import POINTS, empty, fabricate
from test_reports import read as read_report

from pipeline import params
from pipeline.tools import chart
from reports import explore, page
from reports.load import Column, Report
from reports.looks import looks

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no Chromium with its driver on this machine")

WIDTHS = (400, 1000, 1800)
ROOT = Path(__file__).parents[1]
FAMILIES = {"plain": "GANs", "structured_cvae_2_recurrent": "VAEs", "lost": "VAEs"}
COLUMNS = (
    Column("fjd", "FJD", "lower", 2, note="The lower the better."),
    Column("recall", "Recall", "higher", 3),
    Column("precision", "Precision", "higher", 3),
    Column("likelihood", "NLL (nats)", "lower", 1),
    *(Column(f"column_{k}", f"A column of many {k}", None, 3) for k in range(8)),
    Column("spare", "Spare", None, 0, main=False),
)
OVERFLOWING = """
const wide = document.documentElement.clientWidth;
const inside = (box, outer) => box.left >= outer.left - 1 && box.right <= outer.right + 1;
const cut = [...document.querySelectorAll("h1, h2, h3, p, figcaption, figure, button, select, input[type=search]")]
  .filter((part) => part.offsetParent && !inside(part.getBoundingClientRect(), { left: 0, right: wide }));
const words = [...document.querySelectorAll(".charts svg text")].filter((text) =>
  text.textContent && !inside(text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()));
return [document.documentElement.scrollWidth - wide, ...[...cut, ...words].map((part) => part.outerHTML.slice(0, 200))];
"""


PALE = """
const points = [...document.querySelectorAll(".charts .mark-symbol path")];
const opacities = points.map((path) => Number(path.getAttribute("opacity") ?? 1));
return opacities.filter((opacity) => opacity > 0 && opacity < 0.5).length;
"""


def made(root: Path, name: str) -> Report:
    fabricate(root, POINTS, tuple(FAMILIES), COLUMNS)
    found = read_report(root, tuple(FAMILIES))
    rng = np.random.default_rng(0)
    shown = found.scores.assign(value=rng.uniform(0.1, 0.9, len(found.scores)))
    steps = [
        (model, seed, step, "fjd", seed + step / 10) for model in FAMILIES for seed in (1, 2) for step in (1, 5, 9)
    ]
    progress = found.progress.from_records(steps, columns=["model", "seed", "step", "metric", "value"])
    ranked = {"ranked": ("recall", "precision"), "floors": {"recall": 0.0, "precision": 0.0}}
    return replace(found, benchmark=name, scores=shown, progress=progress, palette=looks(FAMILIES), **ranked)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    names = ("first", "older", "second")
    for name in names:
        page.benchmark(made(root / "scores" / name, name), empty(root / "benchmarks" / name), "../../index.html")
    (root / "benchmarks/older" / page.DATA).unlink()  # drawn before there were such pages
    for name, text in page.index([root / "benchmarks" / name for name in names], root, looks(FAMILIES)).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def opened(browser: Any, path: Path, width: int = 1000) -> Any:
    """The browser with the page in it, drawn; whatever it complains of fails the test."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("browser")
    browser.get(path.as_uri())
    ready(browser)
    return browser


def ready(browser: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 120).until(lambda it: it.execute_script("return document.body.dataset.ready"))


def run(browser: Any, script: str) -> Any:
    return browser.execute_script(script)


def column(browser: Any, place: int = 0) -> list[str]:
    """What stands in a column of the table, from the top."""
    rows = "document.querySelectorAll('#explorer .dt-scroll-body tbody tr')"
    return run(browser, f"return [...{rows}].map((row) => row.children[{place}].innerText.trim())")


def click(browser: Any, selector: str, place: int = 0) -> None:
    run(browser, f"document.querySelectorAll({selector!r})[{place}].click()")


def faint(browser: Any) -> int:
    """How many points have turned pale, in all pictures, once these have been told."""
    run(browser, "return tellCharts().then(() => true)")
    return run(browser, PALE)


def button(browser: Any, group: str, name: str) -> None:
    found = [each.get_attribute("textContent").strip() for each in browser.find_elements("css selector", group)]
    click(browser, group, found.index(name))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("file", ["index.html", "benchmarks/first/index.html"])
def test_nothing_is_cut_off_and_nothing_complains(browser: Any, site: Path, file: str, width: int) -> None:
    opened(browser, site / file, width)
    assert run(browser, OVERFLOWING) == [0]
    assert len(browser.find_elements("css selector", ".charts figure svg.marks")) >= 5
    assert not browser.get_log("browser")


@pytest.mark.parametrize("benchmark", ["ring", "digits"])
def test_the_widest_tables_fit_a_wide_window(browser: Any, site: Path, benchmark: str) -> None:
    """Those of the results that are kept, without the sections below them."""
    with pytest.MonkeyPatch.context() as here:
        here.chdir(ROOT)
        report = chart.read(params.load().benchmark(benchmark), [])
    folder = empty(site / "benchmarks" / benchmark)
    template = page.environment().get_template("benchmark.html")
    shown = template.render(report=report, fragments=[], index="../../index.html", assets="../../assets")
    (folder / "index.html").write_text(shown)
    (folder / page.DATA).write_text(explore.script(report))
    opened(browser, folder / "index.html", 1800)
    room = (
        "const body = document.querySelector('#explorer .dt-scroll-body'); return body.clientWidth - body.scrollWidth"
    )
    assert run(browser, room) >= 0
    high, low = (f"return document.querySelectorAll('#{place} figure').length" for place in ("tall", "charts"))
    assert run(browser, high) >= 2 and run(browser, low) >= 5, "high pictures stand in rows of their own"
    assert run(browser, OVERFLOWING) == [0] and not browser.get_log("browser")


def test_the_table_sorts_with_missing_values_last(browser: Any, site: Path) -> None:
    opened(browser, site / "benchmarks/first/index.html")
    heads = browser.find_elements("css selector", "#explorer .dt-scroll-head th")
    place = next(place for place, head in enumerate(heads) if "NLL" in head.get_attribute("textContent"))
    for _ in range(2):
        click(browser, "#explorer .dt-scroll-head th", place)
        values = column(browser, place)
        numbers = [float(text.split()[0]) for text in values if text != "n/a"]
        assert numbers in (sorted(numbers), sorted(numbers, reverse=True)) and len(numbers) == 1 < len(values)
        assert set(values[1:]) == {"n/a"}
    click(browser, "#explorer .dt-scroll-head th", 0)
    assert column(browser) == sorted(column(browser)) or column(browser) == sorted(column(browser), reverse=True)
    assert not browser.get_log("browser")


def test_search_families_and_columns_choose_what_is_shown(browser: Any, site: Path) -> None:
    opened(browser, site / "benchmarks/first/index.html", 1800)
    everything = column(browser)
    box = browser.find_element("css selector", "#explorer input[type=search]")
    box.send_keys("recurrent")
    assert [text.split()[0] for text in column(browser)] == ["structured_cvae_2_recurrent"]
    box.clear()
    box.send_keys(" \b")
    assert column(browser) == everything
    points = "return document.querySelectorAll('.charts .mark-symbol path').length"
    before = run(browser, points)
    button(browser, "#families button", "VAEs")
    assert sorted(text.split()[0] for text in column(browser)) == ["oracle", "plain"]
    assert run(browser, points) < before
    click(browser, ".buttons-colvis")
    button(browser, ".dt-button-collection .dt-button", "Spare")
    assert "Spare" in browser.find_element("css selector", "#explorer .dt-scroll-head").get_attribute("textContent")
    assert not browser.get_log("browser")


def test_a_chosen_contestant_stands_out_in_every_picture(browser: Any, site: Path) -> None:
    opened(browser, site / "benchmarks/first/index.html")
    assert faint(browser) == 0
    click(browser, "#explorer input[value=plain]")
    assert "Chosen: plain" in browser.find_element("id", "chosen").text and faint(browser) > 0
    click(browser, "#chosen button")
    assert faint(browser) == 0 and browser.find_element("id", "chosen").text == ""
    point = "document.querySelector('.charts .mark-symbol path')"
    run(browser, f"{point}.dispatchEvent(new MouseEvent('click', {{ bubbles: true }}))")
    assert "Chosen: " in browser.find_element("id", "chosen").text and faint(browser) > 0
    assert len(browser.find_elements("css selector", "#explorer .dt-scroll-body input:checked")) == 1
    assert not browser.get_log("browser")


def test_the_index_shows_one_benchmark_or_all(browser: Any, site: Path) -> None:
    opened(browser, site / "index.html")
    choices = "const it = document.getElementById('benchmark'); it.value = {!r}; it.dispatchEvent(new Event('change'))"
    assert len(column(browser)) == len(FAMILIES) + 1
    run(browser, choices.format(""))
    assert len(column(browser)) == 2 * (len(FAMILIES) + 1) and set(column(browser, 1)) == {"first", "second"}
    assert "Choose one benchmark" in browser.find_element("id", "charts").text
    run(browser, choices.format("second"))
    assert len(column(browser)) == len(FAMILIES) + 1
    offered = [option.text for option in browser.find_elements("css selector", "#benchmark option")]
    assert offered == ["all", "first", "second"]
    assert not browser.find_elements("css selector", "#tall figure"), "of few contestants no picture is high"
    assert browser.find_element("id", "more").get_attribute("href").endswith("benchmarks/second/index.html")
    buttons = browser.find_elements("css selector", "#families button")
    assert {button.text for button in buttons if button.is_displayed()} == {*FAMILIES.values(), "Real data"}
    assert not browser.get_log("browser")
