"""How a contestant looks in every picture and beside its name: a family is a colour, a contestant of it a shape."""

from collections.abc import Mapping
from itertools import count
from math import cos, pi, sin
from typing import NamedTuple

INK, FAINT = "#1f2328", "#8b949e"
# The first six: M. Okabe, K. Ito, "Color universal design", 2008, told apart by colour-blind readers; their yellow is
# left out, too pale on white, and black is the oracle's. Each of the others is that colour of moderate lightness and
# chroma which is farthest in OKLab from white, ink and all before it, both as they are and as colour-blind readers see.
HUES = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
    "#99145C", "#295C00", "#291F8F", "#52D699", "#005266", "#701F00",
    "#7A665C", "#857AEB", "#E08FFF", "#AD47A3", "#FF9999", "#5C005C",
    "#AD2900", "#663DAD", "#5C7A00", "#8F9900", "#CC4766", "#293D14",
)  # fmt: skip


def polygon(corners: int, inner: float = 1) -> str:
    """A regular polygon, or a star whose inner corners are so far from its middle, as an SVG path within -1 to 1."""
    turns = corners * (1 if inner == 1 else 2)
    places = [(1 if turn % 2 == 0 else inner, 2 * pi * turn / turns) for turn in range(turns)]
    return "M" + "L".join(f"{far * sin(angle):.3g},{-far * cos(angle):.3g}" for far, angle in places) + "Z"


SHAPES = (  # SVG paths within -1 to 1
    "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z",  # circle
    "M-.85,-.85L.85,-.85L.85,.85L-.85,.85Z",  # square
    "M0,-1L1,.8L-1,.8Z",  # triangles: up,
    "M0,1L1,-.8L-1,-.8Z",  # down,
    "M-1,0L.8,-1L.8,1Z",  # left,
    "M1,0L-.8,-1L-.8,1Z",  # right
    "M0,-1L.75,0L0,1L-.75,0Z",  # diamond
    "M-.35,-1L.35,-1L.35,-.35L1,-.35L1,.35L.35,.35L.35,1L-.35,1L-.35,.35L-1,.35L-1,-.35L-.35,-.35Z",  # plus
    "M-1,-.55L-.55,-1L0,-.45L.55,-1L1,-.55L.45,0L1,.55L.55,1L0,.45L-.55,1L-1,.55L-.45,0Z",  # cross
    polygon(5, 0.42),
    polygon(6),
    "M-1,-1L1,1L1,-1L-1,1Z",  # bow tie
    "M-1,-1L1,-1L-1,1L1,1Z",  # hourglass
    polygon(4, 0.35),
    "M-1,-.45L1,-.45L1,.45L-1,.45Z",  # bars: lying,
    "M-.45,-1L.45,-1L.45,1L-.45,1Z",  # standing
)


class Look(NamedTuple):
    family: str
    colour: str
    shape: str  # an SVG path
    full: bool  # or its outline only


REAL = Look("Real data", INK, SHAPES[0], True)
STRANGER = Look("Others", FAINT, SHAPES[0], True)


def looks(families: Mapping[str, str]) -> dict[str, Look]:
    """The look of each contestant, from the family of each; no two have the same, up to 32 of a family.

    The order decides: one that is added behind the others, of a family that is there, changes no look.
    """
    named = dict.fromkeys(families.values())
    colours = {family: HUES[place % len(HUES)] if family else FAINT for place, family in enumerate(filter(None, named))}
    places = {family: count() for family in named}
    found = {}
    for contestant, family in families.items():
        turn, place = divmod(next(places[family]), len(SHAPES))
        found[contestant] = Look(family or STRANGER.family, colours.get(family, FAINT), SHAPES[place], turn % 2 == 0)
    return found
