"""What a figure shows, whoever draws it: panels of bars, dots, lines and segments, in the units of their axes.

    ``plots`` makes the figures of a report;  ``figures`` draws them with matplotlib, ``svg`` for a page of HTML

A colour means the same in every panel of a report: an objective, or one of the two languages of a map.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fairseq_align.objectives import OBJECTIVES


class Colour(NamedTuple):
    """A colour on a light and on a dark page."""

    light: str
    dark: str


# Those of Okabe and Ito, which every colour vision tells apart; lighter on a dark page where they would be lost
COLOURS = {
    "grey": Colour("#666666", "#A8A8A8"),
    "sky": Colour("#56B4E9", "#56B4E9"),
    "orange": Colour("#E69F00", "#E69F00"),
    "red": Colour("#D55E00", "#F0772B"),
    "pink": Colour("#CC79A7", "#CC79A7"),
    "blue": Colour("#0072B2", "#4DA3DC"),
    "green": Colour("#009E73", "#2FBF94"),
}
OF_OBJECTIVES = ("grey", "sky", "orange", "red", "pink")  # in the order of OBJECTIVES, then from the first again
OF_LANGUAGES = ("blue", "green")  # source and target
DASHES = ((), (6, 3), (2, 3), (8, 3, 2, 3))  # lengths of line and gap
SHAPES = ("circle", "square", "diamond", "triangle", "nabla", "plus", "star", "cross")


def colour_of(objective: str | None) -> str:
    """Name of the colour of an objective; of a run of an unknown one that of MLM."""
    number = list(OBJECTIVES).index(objective) if objective in OBJECTIVES else 0
    return OF_OBJECTIVES[number % len(OF_OBJECTIVES)]


class Axis(NamedTuple):
    """An axis from ``low`` to ``high``, with a number at each tick."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, label: str, values: Iterable[float], margin: float = 0.04) -> "Axis":
        """An axis that holds all values, with ticks at round numbers.

        Example:
            >>> Axis.over("updates", [0, 3000], margin=0)
            Axis(label='updates', low=0, high=3000, ticks=(0.0, 1000.0, 2000.0, 3000.0))
        """
        values = list(values) or [0.0]
        low, high = min(values), max(values)
        space = margin * (high - low) or (0 if high > low else abs(high) * 0.1 or 1)
        return cls(label, low - space, high + space, round_numbers(low - space, high + space))


def round_numbers(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """At most ``most`` multiples of 1, 2 or 5 times a power of ten between two numbers.

    Example:
        >>> round_numbers(-3, 104)
        (0.0, 50.0, 100.0)
    """
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(step * power for step in (1, 2, 5, 10, 20) if step * power >= least * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return tuple(round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1))


def short(value: float) -> str:
    """A number for a tick, with thousands and millions in letters.

    Example:
        >>> short(0.0), short(2500.0), short(1.5e6), short(0.25)
        ('0', '2.5k', '1.5M', '0.25')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


class Bar(NamedTuple):
    """A bar from 0 to ``value`` at height ``y``, the spread as a line on it, seeds as dots, ``text`` behind its end."""

    y: float
    value: float
    spread: float | None
    seeds: tuple[float, ...]
    colour: str
    text: str
    tip: str


class Dot(NamedTuple):
    """A dot; ``label`` is written beside it, ``tip`` shown under the mouse."""

    x: float
    y: float
    colour: str
    tip: str
    shape: str = "circle"
    filled: bool = True
    size: float = 4.5
    label: str = ""


class Line(NamedTuple):
    """A line; ``low`` and ``high`` bound a band around it, empty: none; ``tips`` belong to its points."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    colour: str
    dash: tuple[int, ...]
    label: str
    tips: tuple[str, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


class Segment(NamedTuple):
    """A thin line that joins two dots."""

    start: tuple[float, float]
    end: tuple[float, float]
    dash: tuple[int, ...]
    tip: str


class Name(NamedTuple):
    """The name of a row of bars, or the heading of several."""

    y: float
    text: str
    heading: bool = False


class Key(NamedTuple):
    """An entry of a legend: a dot, or a line where it has a dash."""

    label: str
    colour: str
    shape: str = "circle"
    filled: bool = True
    dash: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Chart:
    """A panel.

    Attributes:
        title: what it shows.
        note: a sentence below the title.
        x, y: its axes; of bars ``y`` grows downwards and has no numbers.
        names: of the rows of bars.
        marks: in the order in which they are drawn.
        labelled: whether lines have their labels at their ends.
    """

    title: str
    x: Axis
    y: Axis
    marks: Sequence[Bar | Dot | Line | Segment]
    note: str = ""
    names: Sequence[Name] = ()
    labelled: bool = False

    def of(self, kind: type) -> list:
        """The marks of a kind."""
        return [mark for mark in self.marks if isinstance(mark, kind)]


@dataclass(frozen=True)
class Figure:
    """Panels with one legend.

    Attributes:
        name: of its files.
        caption: what it shows, in a sentence or two.
        keys: the legend; empty where the panels say it themselves.
        across: panels side by side.
    """

    name: str
    title: str
    caption: str
    charts: Sequence[Chart]
    keys: Sequence[Key] = field(default=())
    across: int = 2


def clipped(text: str, most: int) -> str:
    """A name that fits, with an ellipsis where it was cut; one line.

    Example:
        >>> clipped("transliterate+invert", 8)
        'transli…'
    """
    text = " ".join(text[: 4 * most].split())
    return text if len(text) <= most else text[: most - 1] + "…"


def spread(positions: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Positions of labels moved apart as little as it takes, in their order, between two bounds as far as they fit.

    Example:
        >>> spread([5.0, 5.5, 20.0], 2.0, 0.0, 30.0)
        [4.25, 6.25, 20.0]
    """
    groups: list[list] = []  # middle, numbers of the positions
    for number in sorted(range(len(positions)), key=lambda number: positions[number]):
        groups.append([positions[number], [number]])
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < least * (sum(len(g[1]) for g in groups[-2:])) / 2:
            middle, members = groups.pop()
            before, others = groups[-1]
            count = len(members) + len(others)
            groups[-1] = [(middle * len(members) + before * len(others)) / count, [*others, *members]]
    placed = [0.0] * len(positions)
    for middle, members in groups:
        height = least * (len(members) - 1)
        start = max(low, min(middle - height / 2, high - height))
        for i, number in enumerate(members):
            placed[number] = start + i * least
    return placed
