"""Tables for papers, which load booktabs and nothing else: each fits a page of `article`, in one column and in two.

TeX does not say how wide a table is before it is set, and `longtable` is not for two columns. So widths are reckoned
here, from the font that TeX sets them in: a table takes the largest type that fits, is cut between columns where none
does, and between rows where a page ends. The caption is short, and what a reader must know stands under the table.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from math import ceil
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, NamedTuple

import matplotlib
from PIL import ImageFont

from reports.statistics import BEST, TIED

if TYPE_CHECKING:
    from reports.tables import Cell, Legend, Row, Table

TEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{"±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "≥": r"$\geq$", "≤": r"$\leq$", "≈": r"$\approx$"},
    **{"<": "$<$", ">": "$>$", "|": "$|$", "\u00d7": r"$\times$", "·": r"$\cdot$", "\u03c3": r"$\sigma$"},
}
MINUS = re.compile(r"(?<!\w)-(?=\d)|(?<=\de)-(?=\d)")  # of a number: a hyphen in a name stays one
NUMBER = re.compile(r"-?\d")
FEWER = re.compile(r" \((n = \d+ of \d+)\)$")  # what `tables.cell` adds to a mean of fewer seeds than there are
SYMBOL = re.compile("[±↑↓≥≤≈\u00d7·\u03c3]")  # from TeX's fonts of symbols, about as wide as a W is narrow
WRAP = {BEST: r"\textbf{{{}}}", TIED: r"\underline{{{}}}", "": "{}"}

COLUMN, PAGE = 229.0, 345.0  # points: of a column where there are two, and of a page with one, the narrower of pages
HEIGHT = 520.0  # that a float may take of a page
WORDS = 10.0  # times its type's height that a column of words is wide at most, unless a word is wider
BOLD = 1.16  # how much wider
RULES = 24.0  # height of a table's rules, and of the space around them


class Type(NamedTuple):
    """A size of type: its name, its height, its lines' height, and how much wider than its height tells it is."""

    name: str
    points: float
    line: float
    wide: float


NORMAL = Type("normalsize", 10, 12, 1.0)
SMALL = Type("small", 9, 11, 1.03)
FOOT = Type("footnotesize", 8, 9.5, 1.07)
SCRIPT = Type("scriptsize", 7, 8, 1.15)
GAP = {SMALL: 4.0, FOOT: 3.0, SCRIPT: 2.5}  # points on either side of a column
LAYOUTS = ((COLUMN, SMALL), (COLUMN, FOOT), (PAGE, SMALL), (PAGE, FOOT), (PAGE, SCRIPT))  # the first that fits


class Column(NamedTuple):
    heading: tuple[str, ...]  # its lines
    cells: "tuple[Cell, ...]"
    width: float  # as a multiple of its type's height
    letter: str  # numbers stand to the right, words to the left

    def lines(self, place: int) -> int:
        """How many a cell takes."""
        wide = ems(self.cells[place].text)
        return 1 if self.letter == "r" or wide <= self.width else len(broken(self.cells[place].text, 0.9 * self.width))

    def set(self, place: int, size: Type) -> str:
        """The cell as TeX sets it, in lines where it is long."""
        text = set_cell(self.cells[place])
        if self.lines(place) == 1:
            return text
        return rf"\parbox[t]{{{self.width * size.points * size.wide:.0f}pt}}{{\raggedright {text}\strut}}"


class Piece(NamedTuple):
    """What stands in a float together."""

    lines: tuple[str, ...]
    height: float


def latex(content: "Table", legend: "Legend", title: str) -> str:
    """The table as floats that follow one another, one where it fits a page; the first has the caption and the label,
    the last the notes."""
    content, remarks = marked(content)
    width, size, blocks = laid_out([names(content.rows), *columns(content)])
    room = HEIGHT - height(title, NORMAL, PAGE if width == PAGE else COLUMN) - NORMAL.line
    pieces = [piece for block in blocks for piece in tabular(block, content.rows, size, room)]
    pieces += notes([*remarks, *sentences(legend)], room, width)
    environment = "table" if width == COLUMN else "table*"
    label = re.sub(r"[^a-z0-9]+", "-", title.lower())
    return "\n".join(floats(pieces, environment, size, f"{escape_tex(title)}.", f"tab:{label}", room))


def escape_tex(text: str) -> str:
    return "".join(TEX.get(character, character) for character in text.replace("<=", "≤"))


def marked(content: "Table") -> "tuple[Table, list[str]]":
    """The table with a raised letter where a row has a note or a mean is of fewer seeds, and what the letters mean."""
    letters: dict[str, str] = {}

    def letter(note: str) -> str:
        return "^" + letters.setdefault(note, ascii_lowercase[len(letters) % 26]) if note else ""

    rows = []
    for row in content.rows:
        model, cells = row.model + letter(row.note), []
        for cell in row.cells:
            fewer = FEWER.search(cell.text)
            cells.append(cell._replace(text=FEWER.sub("", cell.text) + letter(fewer[1]) if fewer else cell.text))
        rows.append(row._replace(model=model, cells=tuple(cells)))
    said = [f"$^{{{mark}}}$~{escape_tex(note)}." for note, mark in letters.items()]
    return content._replace(rows=tuple(rows)), said


def set_cell(cell: "Cell") -> str:
    text, raised, letter = cell.text.partition("^")
    return WRAP[cell.mark].format(MINUS.sub("$-$", escape_tex(text))) + f"$^{{{letter}}}$" * bool(raised)


def names(rows: "Sequence[Row]") -> Column:
    from reports.tables import Cell

    return column("Model", [Cell(row.model, "", "") for row in rows])


def columns(content: "Table") -> list[Column]:
    return [column(head, [row.cells[place] for row in content.rows]) for place, head in enumerate(content.headings)]


def column(heading: str, cells: "list[Cell]") -> Column:
    """A column whose heading is broken into lines no wider than its cells, as far as words allow; so are long cells."""
    heading = re.sub(r" ([↑↓])", "\u00a0\\1", heading)
    told = [bool(NUMBER.match(cell.text)) for cell in cells if cell.text not in ("", "n/a")]
    letter = "r" if 2 * sum(told) > len(told) else "l"
    widths = [ems(cell.text) * (BOLD if cell.mark == BEST else 1) for cell in cells]
    if letter == "l" and max(widths, default=0) > WORDS:
        widths = [WORDS, *(ems(word) for cell in cells for word in cell.text.split())]
    widest = max([*widths, *map(ems, heading.split(" "))])
    return Column(tuple(broken(heading, widest)), tuple(cells), widest, letter)


def broken(text: str, width: float) -> list[str]:
    """A text in lines no wider than so many times its type's height, as far as words allow."""
    first, *words = text.split(" ")
    lines = [first]
    for word in words:
        joined = f"{lines[-1]} {word}"
        lines = [*lines[:-1], joined] if ems(joined) <= width else [*lines, word]
    return lines


@cache
def ems(text: str) -> float:
    """The width of a text in TeX's own font, as a multiple of its height."""
    plain = SYMBOL.sub("M", text).replace("\u00a0", " ").replace("^", "")
    return font().getlength(MINUS.sub("M", plain)) / 1000


@cache
def font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/cmr10.ttf", 1000)


def taken(block: Sequence[Column], size: Type) -> float:
    """The points that columns take beside one another."""
    return sum(each.width for each in block) * size.points * size.wide + 2 * GAP[size] * (len(block) - 1)


def laid_out(every: list[Column]) -> tuple[float, Type, list[list[Column]]]:
    """How wide the floats are, the size of type, and the columns of each table; the first column begins each."""
    for width, size in LAYOUTS:
        if taken(every, size) <= width:
            return width, size, [every]
    first, *others = every
    for parts in range(2, len(others) + 1):
        each = ceil(len(others) / parts)
        blocks = [[first, *others[start : start + each]] for start in range(0, len(others), each)]
        for size in (FOOT, SCRIPT):
            if all(taken(block, size) <= PAGE for block in blocks):
                return PAGE, size, blocks
    return PAGE, SCRIPT, [[first, other] for other in others]


def tabular(block: list[Column], rows: "Sequence[Row]", size: Type, room: float) -> Iterator[Piece]:
    """The columns as one table, or as many as pages ask for."""
    high = max(len(each.heading) for each in block)
    headings = [("",) * (high - len(each.heading)) + each.heading for each in block]
    top = [r"\begin{tabular}{@{}" + "".join(each.letter for each in block) + "@{}}", r"\toprule"]
    top += [" & ".join(map(set_heading, line)) + r" \\" for line in zip(*headings, strict=True)]
    around = RULES + (high + 1) * size.line
    heights = [max(each.lines(place) for each in block) * size.line for place in range(len(rows))]
    for start, end in evenly(heights, room - around):
        lines = list(top)
        for place in range(start, end):
            lines += [r"\midrule"] * (rows[place].is_oracle or place == start)
            lines.append(" & ".join(each.set(place, size) for each in block) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}"]
        yield Piece(tuple(lines), around + sum(heights[start:end]))


def evenly(heights: list[float], room: float) -> Iterator[tuple[int, int]]:
    """As `filled`, and as full as one another."""
    room = min(room, sum(heights) / ceil(sum(heights) / room) + max(heights)) if heights else room
    yield from filled(heights, room)


def filled(heights: list[float], room: float) -> Iterator[tuple[int, int]]:
    """Where each page begins and ends that holds as many of these as there is room for."""
    start = 0
    while start < len(heights):
        end = start + 1
        while end < len(heights) and sum(heights[start : end + 1]) <= room:
            end += 1
        yield start, end
        start = end


def set_heading(text: str) -> str:
    return escape_tex(text).replace("\u00a0", "~")


def sentences(legend: "Legend") -> list[str]:
    """What a reader must know, a note each."""
    said = [escape_tex(line) for line in legend.protocol]
    return said + [rf"\textit{{{escape_tex(label)}}}: {escape_tex(note)}" for label, note in legend.notes]


def notes(said: list[str], room: float, width: float) -> Iterator[Piece]:
    """The notes, a paragraph, or several where a page ends between them."""
    heights = [height(text, FOOT, width) for text in said]
    for start, end in filled(heights, room):
        text = " ".join(said[start:end])
        box = rf"\parbox{{\linewidth}}{{\raggedright\footnotesize {text}}}"
        yield Piece((box,), height(text, FOOT, width))


def height(text: str, size: Type, width: float) -> float:
    """About how high a paragraph is, rather more than less."""
    return size.line * (1 + ceil(1.1 * ems(text) * size.points * size.wide / width))


def floats(pieces: list[Piece], environment: str, size: Type, caption: str, label: str, room: float) -> Iterator[str]:
    """Each holds as many pieces as a page does."""
    for start, end in filled([piece.height + size.line for piece in pieces], room + size.line):
        yield rf"\begin{{{environment}}}[tp]"
        yield rf"\centering\{size.name}\setlength{{\tabcolsep}}{{{GAP[size]}pt}}"
        again = r"\addtocounter{table}{-1}\caption{Continued.}"
        yield again if start else rf"\caption{{{caption}}}\label{{{label}}}"
        for place in range(start, end):
            yield from [r"\par\medskip"] * (place > start)
            yield from pieces[place].lines
        yield rf"\end{{{environment}}}"
