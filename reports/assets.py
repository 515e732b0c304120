"""The libraries that pages use, from installed packages into the folder beside the index: pages need no network.

DataTables (with jQuery and its extensions) comes in itables as a module, which a page opened from a disk may not load:
its one export becomes a name of the window. Vega, Vega-Lite and Vega-Embed come in vl-convert as one script.
"""

import re
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import vl_convert

FOLDER = "assets"  # beside the index
EXPORT = re.compile(r"export\{[^{}]*?\b(\w+) as default\b[^{}]*\}")
OURS = Path(__file__).parent / "templates"


@cache
def written() -> dict[str, str]:
    """Name of each file, relative to the index -> content."""
    bundle = files("itables") / "html"
    tables = (bundle / "dt_bundle.js").read_text(encoding="utf-8")
    tables, found = EXPORT.subn(r"window.DataTable=\1", tables)
    if found != 1:
        raise ValueError(f"itables {version('itables')} exports DataTables in another way; mend reports/assets.py")
    versions = {
        "itables": version("itables"),
        "vega": vl_convert.get_vega_version(),
        "vegalite": vl_convert.get_vegalite_versions()[-1],
        "embed": vl_convert.get_vega_embed_version(),
    }
    return {
        f"{FOLDER}/datatables.js": f"(() => {{\n{tables}\n}})();\n",
        f"{FOLDER}/page.js": (OURS / "page.js").read_text(encoding="utf-8"),
        f"{FOLDER}/datatables.css": (bundle / "dt_bundle.css").read_text(encoding="utf-8"),
        f"{FOLDER}/vega.js": f"(() => {{\n{vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed;')}\n}})();\n",
        f"{FOLDER}/LICENCES.txt": (OURS / "licences.txt").read_text(encoding="utf-8").format(**versions),
    }
