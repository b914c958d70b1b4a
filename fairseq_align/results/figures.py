"""The figures of a report drawn with matplotlib, as PNG and SVG.

Figures are 12 inches wide, so that their text is still readable at half size.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from fairseq_align.errors import InputError
from fairseq_align.results import charts
from fairseq_align.results.charts import Bar, Chart, Dot, Figure, Key, Line, Name, Segment

FONT, SMALL, TINY = 14, 11, 9  # points
STYLE = {"font.size": FONT, "svg.hashsalt": "fairseq_align"}  # the salt makes an SVG the same each time
MARKERS = dict(zip(charts.SHAPES, "osD^vP*X", strict=True))
PALE, INK = "#DDDDDD", "black"
TALLEST = 200  # inches of a figure; matplotlib draws up to 2^16 pixels


def save(canvas: Canvas, path: Path, suffix: str) -> None:
    """Write a figure as ``png`` or ``svg``, the same bytes each time."""
    with rc_context(STYLE):
        canvas.savefig(path, format=suffix, metadata={"Date": None} if suffix == "svg" else None)


def draw(figure: Figure) -> Canvas:
    """Draw a figure: its panels in a grid, its legend below.

    Raises:
        InputError: there is more to draw than an image can hold.
    """
    across = max(1, min(figure.across, len(figure.charts)))
    lines = [figure.charts[i : i + across] for i in range(0, len(figure.charts), across)]
    heights = [max(_height(chart) for chart in line) for line in lines]
    if sum(heights) > TALLEST:
        rows = max(len(chart.names) for chart in figure.charts)
        found = f"{rows:,} rows" if rows else f"{len(figure.charts):,} panels"
        raise InputError(f"found {found}, expected fewer in a figure; the tables are written, for figures give fewer")
    with rc_context(STYLE):
        canvas = Canvas(figsize=(12, sum(heights) + 0.3 * -(-len(figure.keys) // 4)), dpi=150, layout="constrained")
        grid = canvas.subplots(len(lines), across, squeeze=False, height_ratios=heights)
        for axes in grid.flat[len(figure.charts) :]:
            axes.set_visible(False)
        for line, own in zip(grid, lines, strict=True):
            last = max(chart.y.high for chart in own)  # rows of bars are equally high in all panels of a line
            beside: Sequence[Name] = ()
            for axes, chart in zip(line, own, strict=False):
                _draw(axes, replace(chart, y=chart.y._replace(high=last)) if chart.names else chart, beside)
                beside = chart.names
        if figure.keys:
            canvas.legend(handles=list(map(_handle, figure.keys)), loc="outside lower center", ncols=4,
                          frameon=False, fontsize=SMALL)  # fmt: skip
        canvas.draw_without_rendering()
        canvas.set_layout_engine(None)  # it is laid out once, for both formats
    return canvas


def _height(chart: Chart) -> float:
    """Inches of a panel."""
    if chart.names:
        return 0.9 + 0.3 * len(chart.names)
    return 5.0 if chart.x.ticks else 7.0


def _plain(text: str, most: int = 60) -> str:
    """A text that matplotlib does not read as mathematics."""
    return charts.clipped(text, most).replace("$", r"\$")


def _colour(name: str) -> str:
    return INK if name == "ink" else charts.COLOURS[name].light


def _dashed(dash: Sequence[int]):
    return (0, tuple(dash)) if dash else "-"


def _handle(key: Key) -> Line2D:
    label, colour = _plain(key.label), _colour(key.colour)
    if key.dash is not None:
        return Line2D([], [], linewidth=2, color=colour, linestyle=_dashed(key.dash), label=label)
    face = colour if key.filled else "none"
    return Line2D([], [], linestyle="none", marker=MARKERS[key.shape], markersize=9, color=colour,
                  markerfacecolor=face, label=label)  # fmt: skip


def _look(dot: Dot) -> tuple:
    """What dots have in common that are drawn at once."""
    return dot.colour, dot.shape, dot.size, dot.filled


def _draw(axes, chart: Chart, beside: Sequence[Name]) -> None:
    """Draw a panel; ``beside``: names of the rows of the panel to its left, which stand for the same ones here."""
    note = "\n".join(_plain(part, 110) for part in chart.note.split("; ")) if chart.note else ""
    axes.set_title(_plain(chart.title) + (f"\n{note}" if note else ""), fontsize=SMALL, loc="left")
    axes.set_xlim(chart.x.low, chart.x.high)
    axes.set_ylim(chart.y.low, chart.y.high)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(_plain(chart.x.label))
    axes.set_xticks(chart.x.ticks, map(charts.short, chart.x.ticks))
    axes.tick_params(labelsize=SMALL)
    if chart.names:
        _draw_bars(axes, chart, with_names=list(chart.names) != list(beside))
        return
    if not chart.x.ticks:  # a map
        axes.set_box_aspect(1)
    axes.set_yticks(chart.y.ticks, map(charts.short, chart.y.ticks))
    axes.set_ylabel(_plain(chart.y.label))
    axes.grid(color=PALE, zorder=0)
    for mark in chart.of(Segment):
        axes.plot(*zip(mark.start, mark.end, strict=True), color="#999999", linewidth=0.8,
                  linestyle=_dashed(mark.dash), zorder=2)  # fmt: skip
    dots = chart.of(Dot)
    for (colour, shape, size, filled), alike in groupby(sorted(dots, key=_look), key=_look):
        colour, places = _colour(colour), [(mark.x, mark.y) for mark in alike]
        axes.scatter(*zip(*places, strict=True), s=3.2 * size**2, marker=MARKERS[shape], linewidth=1.4,
                     edgecolor=colour, facecolor=colour if filled else "none", zorder=4 if filled else 3)  # fmt: skip
    for mark in dots:
        if mark.label:
            axes.annotate(_plain(mark.label, 20), (mark.x, mark.y), (4, 3), textcoords="offset points", fontsize=TINY)
    lines = chart.of(Line)
    for line in lines:
        style = {"color": _colour(line.colour), "linestyle": _dashed(line.dash)}
        axes.plot(line.xs, line.ys, linewidth=1.8, zorder=3, **style)
        if line.low:
            axes.fill_between(line.xs, line.low, line.high, color=style["color"], alpha=0.18, linewidth=0, zorder=2)
    if chart.labelled:
        least = 0.05 * (chart.y.high - chart.y.low)
        ends = charts.spread([line.ys[-1] for line in lines], least, chart.y.low, chart.y.high)
        for line, y in zip(lines, ends, strict=True):
            axes.annotate(_plain(line.label, 24), (line.xs[-1], y), (6, 0), textcoords="offset points", va="center",
                          fontsize=SMALL, color=_colour(line.colour), annotation_clip=False)  # fmt: skip


def _draw_bars(axes, chart: Chart, with_names: bool) -> None:
    """Horizontal bars from the top, one for each name."""
    axes.invert_yaxis()
    axes.set_ylim(chart.y.high, chart.y.low)
    axes.set_xlim(min(0, chart.x.low), chart.x.high + 0.28 * (chart.x.high - chart.x.low))  # room for the numbers
    names = [_plain(name.text, 26) for name in chart.names] if with_names else [""] * len(chart.names)
    axes.set_yticks([name.y for name in chart.names], names)
    for label, name in zip(axes.get_yticklabels(), chart.names, strict=True):
        label.set_fontweight("bold" if name.heading else "normal")
        label.set_fontsize(SMALL)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=PALE, zorder=0)
    for bar in chart.of(Bar):
        axes.barh(bar.y, bar.value, 0.7, color=_colour(bar.colour), zorder=2)
        ends = [bar.value, *bar.seeds]
        if bar.spread is not None:
            axes.errorbar(bar.value, bar.y - 0.15, xerr=bar.spread, color=INK, linewidth=1.3, capsize=2, zorder=3)
            axes.scatter(bar.seeds, [bar.y + 0.15] * len(bar.seeds), s=12, color=INK, edgecolor="white",
                         linewidth=0.5, zorder=4, clip_on=False)  # fmt: skip
            ends.append(bar.value + bar.spread)
        end = min(max(0, *ends), chart.x.high)
        axes.annotate(bar.text, (end, bar.y), (5, 0), textcoords="offset points", va="center", fontsize=TINY)
