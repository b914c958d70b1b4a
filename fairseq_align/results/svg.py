"""Charts as SVG for a page of HTML: sized by the page, coloured by its variables, each mark with its value as a title.

Texts are those of records, names and words: all are escaped here.
"""

import html
import re
from collections.abc import Iterator

from fairseq_align.results import charts
from fairseq_align.results.charts import Bar, Chart, Dot, Key, Line, Segment

WIDTH, HEIGHT = 380, 280  # of a chart with two axes, in the units of its texts, which are 12 high
ROW = 22  # height of a bar with its space
LETTER = 7.2  # mean width of a letter in the widest of the fonts
NAMES = 150  # at most, of the names of rows
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def text(value: str, most: int = 300) -> str:
    """A text for an element or an attribute: one line, escaped, clipped, without control characters.

    Example:
        >>> text('<b> & "x"')
        '&lt;b&gt; &amp; &quot;x&quot;'
    """
    return html.escape(_CONTROLS.sub("\ufffd", charts.clipped(value, most)))


def draw(chart: Chart) -> str:
    """The chart without its title and note, which are the page's."""
    return _bars(chart) if chart.names else _plane(chart)


def _element(width: float, height: float, title: str, parts: Iterator[str]) -> str:
    inside = "\n".join(parts)
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{text(title)}">\n{inside}\n</svg>'


def _mark(kind: str, colour: str, tip: str, inside: str) -> str:
    return f'<g class="mark {kind} c-{colour}"><title>{text(tip)}</title>{inside}</g>'


def _label(x: float, y: float, value: str, kind: str, most: int = 40) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{text(value, most)}</text>'


def _dash(dash: tuple[int, ...]) -> str:
    return f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""


# bars


def _bars(chart: Chart) -> str:
    most = 24
    left = min(NAMES, 10 + LETTER * max(min(most, len(name.text)) for name in chart.names if not name.heading))
    right = 12 + LETTER * max((len(bar.text) for bar in chart.of(Bar)), default=0)
    height = ROW * (chart.y.high - chart.y.low) + (38 if chart.x.label else 22)
    low = min(0.0, chart.x.low)

    def across(value: float) -> float:
        return left + (value - low) / (chart.x.high - low) * (WIDTH - left - right)

    def down(row: float) -> float:
        return 4 + (row - chart.y.low) * ROW

    def parts() -> Iterator[str]:
        bottom = down(chart.y.high)
        for tick in chart.x.ticks:
            yield f'<path class="grid" d="M{across(tick):.1f} 4V{bottom:.1f}"/>'
            yield _label(across(tick), bottom + 15, charts.short(tick), "tick middle")
        if chart.x.label:
            yield _label(across(chart.x.high), bottom + 31, chart.x.label, "tick middle")
        for name in chart.names:
            where = (0, "name heading") if name.heading else (left - 8, "name end")
            yield _label(where[0], down(name.y) + 4, name.text, where[1], 50 if name.heading else most)
        for bar in chart.of(Bar):
            yield _mark("bar", bar.colour, bar.tip, _bar(bar, across, down(bar.y)))

    return _element(WIDTH, height, chart.title, parts())


def _bar(bar: Bar, across, y: float) -> str:
    start, end = sorted((across(0), across(bar.value)))
    shapes = [f'<rect class="hit" x="0" y="{y - ROW / 2:.1f}" width="{WIDTH}" height="{ROW}"/>']
    shapes.append(f'<rect x="{start:.1f}" y="{y - 7:.1f}" width="{end - start:.1f}" height="14" rx="1.5"/>')
    ends = [end, start]
    if bar.spread is not None:
        low, high = across(bar.value - bar.spread), across(bar.value + bar.spread)
        shapes.append(f'<path class="spread" d="M{low:.1f} {y - 3:.1f}H{high:.1f}"/>')
        shapes += [f'<circle class="seed" cx="{across(value):.1f}" cy="{y + 3:.1f}" r="2"/>' for value in bar.seeds]
        ends += [high, *map(across, bar.seeds)]
    shapes.append(_label(max(ends) + 6, y + 4, bar.text, "value"))
    return "".join(shapes)


# two axes


def _plane(chart: Chart) -> str:
    bare = not chart.x.ticks and not chart.y.ticks  # a map
    labels = [line.label for line in chart.of(Line)] if chart.labelled else []
    left = 8 if bare else 12 + LETTER * max(len(charts.short(tick)) for tick in chart.y.ticks or (0,))
    right = 14 + (LETTER * min(20, max(map(len, labels))) if labels else 0)
    height = WIDTH if bare else HEIGHT
    top, bottom = (8, height - 8) if bare else (26, height - 38)

    def across(value: float) -> float:
        return left + (value - chart.x.low) / (chart.x.high - chart.x.low) * (WIDTH - left - right)

    def down(value: float) -> float:
        return bottom - (value - chart.y.low) / (chart.y.high - chart.y.low) * (bottom - top)

    def parts() -> Iterator[str]:
        if bare:
            yield f'<rect class="frame" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="4"/>'
        else:
            yield _label(0, 13, chart.y.label, "tick", 62)
            yield _label((left + WIDTH - right) / 2, height - 4, chart.x.label, "tick middle", 62)
        for tick in chart.y.ticks:
            yield f'<path class="grid" d="M{left:.1f} {down(tick):.1f}H{WIDTH - right:.1f}"/>'
            yield _label(left - 6, down(tick) + 4, charts.short(tick), "tick end")
        for tick in chart.x.ticks:
            yield f'<path class="grid" d="M{across(tick):.1f} {bottom}v5"/>'
            yield _label(across(tick), bottom + 17, charts.short(tick), "tick middle")
        for mark in chart.of(Segment):
            (x, y), (u, v) = mark.start, mark.end
            path = f"M{across(x):.1f} {down(y):.1f}L{across(u):.1f} {down(v):.1f}"
            shapes = f'<path class="wide" d="{path}"/><path d="{path}"{_dash(mark.dash)}/>'
            yield _mark("segment", "ink", mark.tip, shapes)
        for line in chart.of(Line):
            yield _line(line, across, down)
        for dot in chart.of(Dot):
            yield _mark("dot", dot.colour, dot.tip, _shape(across(dot.x), down(dot.y), dot.size, dot.shape, dot.filled))
        for dot in chart.of(Dot):
            if dot.label:
                yield _label(across(dot.x) + 6, down(dot.y) - 4, dot.label, "word", 20)
        if labels:
            ends = charts.spread([down(line.ys[-1]) for line in chart.of(Line)], 14, top, bottom)
            for line, y in zip(chart.of(Line), ends, strict=True):
                yield _label(across(line.xs[-1]) + 6, y + 4, line.label, f"line-name c-{line.colour}", 20)

    return _element(WIDTH, height, chart.title, parts())


def _line(line: Line, across, down) -> str:
    points = [(across(x), down(y)) for x, y in zip(line.xs, line.ys, strict=True)]
    shapes = ""
    if line.low:
        above = [(across(x), down(y)) for x, y in zip(line.xs, line.high, strict=True)]
        below = [(across(x), down(y)) for x, y in zip(line.xs, line.low, strict=True)]
        shapes += f'<path class="band" d="{_path([*above, *below[::-1]])}Z"/>'
    shapes += f'<path class="line" d="{_path(points)}"{_dash(line.dash)}/>'
    drawn = f'<g class="c-{line.colour}">{shapes}</g>'
    step = max(1, len(points) // 40)  # values under the mouse; one in some pixels is enough
    dots = (
        _mark("point", line.colour, tip, f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6"/>')
        for (x, y), tip in list(zip(points, line.tips, strict=True))[::-step]
    )
    return drawn + "".join(dots)


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _shape(x: float, y: float, r: float, shape: str, filled: bool) -> str:
    kind = "" if filled else ' class="hollow"'
    if shape == "circle":
        return f'<circle{kind} cx="{x:.1f}" cy="{y:.1f}" r="{r:g}"/>'
    if shape in ("plus", "cross", "star"):
        arms = {"plus": ((r, 0), (0, r)), "cross": ((r, r), (r, -r)), "star": ((r, 0), (0, r), (r, r), (r, -r))}[shape]
        lines = "".join(f"M{x - a:.1f} {y - b:.1f}L{x + a:.1f} {y + b:.1f}" for a, b in arms)
        return f'<path class="arms" d="{lines}"/>'
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        "triangle": ((0, -1.2), (1.2, 1), (-1.2, 1)),
        "nabla": ((0, 1.2), (1.2, -1), (-1.2, -1)),
    }[shape]
    return f'<path{kind} d="{_path([(x + r * a, y + r * b) for a, b in corners])}Z"/>'


def key(entry: Key) -> str:
    """The sign of an entry of a legend."""
    if entry.dash is not None:
        sign = f'<path class="line" d="M1 7H23"{_dash(entry.dash)}/>'
        width = 24
    else:
        sign, width = _shape(7, 7, 4.5, entry.shape, entry.filled), 14
    return f'<svg class="sign dot c-{entry.colour}" viewBox="0 0 {width} 14" width="{width}" height="14">{sign}</svg>'
