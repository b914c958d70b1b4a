import base64
import hashlib
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from fairseq_align.results import charts, page, plots, report, svg
from fairseq_align.results.charts import Axis, Bar, Chart, Dot, Line, Segment
from fairseq_align.results.comparison import comparisons
from tests.results.scores import STUDY, cells_of, pos, supervised, tables_of, whole

EMPTY = {"meta", "wbr"}  # elements without an end
CHART = Chart(
    "<title>",
    Axis.over("x", [0, 10]),
    Axis.over("y", [0, 1]),
    [
        Segment((1, 0.2), (9, 0.8), (6, 3), "a – b: cosine 0.5"),
        Line((0, 10), (0.1, 0.9), "red", (), "A & B", ("at 0", "at 10"), (0.0, 0.8), (0.2, 1.0)),
        *(Dot(i, 0.5, "grey", f"dot {shape}", shape, i % 2 == 0, label="<w>") for i, shape in enumerate(charts.SHAPES)),
    ],
    labelled=True,
)


class Reader(HTMLParser):
    """Elements with their attributes, and the cells of tables; fails where an element is not closed."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.open, self.rows, self.texts = [], [], [], {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        else:
            self.texts[self.open[-1] if self.open else ""] = data


def page_of(records):
    cells = cells_of(records)
    compared = comparisons(cells)
    figures = list(report._figures(cells, compared, [], []))
    return page.page("A & B", tables_of(cells), figures, ["n: items."], ["ρ = 1"], ["pos accuracy 50.0 | lang:<x>"])


def test_the_page_has_every_cell_of_the_tables():
    tables = tables_of(cells_of(STUDY))
    assert Reader(page_of(STUDY)).rows == [line for lines in tables.values() for line in lines]


def test_the_page_needs_no_other_file_and_runs_no_other_script():
    text = page_of(STUDY)
    read = Reader(text)
    for tag, attributes in read.elements:
        assert tag not in ("link", "img", "iframe", "object", "base") and "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in text and "@import" not in text and "http:" not in text and "https:" not in text
    (policy,) = (a["content"] for tag, a in read.elements if tag == "meta" and a.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(read.texts["script"].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'") and f"script-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "\"'><img/src=x/onerror=alert(1)>", "</style><b>&amp;"])
def test_names_are_text_and_never_elements(name):
    records = [
        make(value, variant=name, derivation=name) for make, value in ((pos, 0.5), (supervised, 0.6), (whole, 1))
    ]
    plain = [record | {"variant": "v", "derivation": "d"} for record in records]
    read, expected = Reader(page_of(records)), Reader(page_of(plain))
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in expected.elements]
    assert [a.keys() for _, a in read.elements] == [a.keys() for _, a in expected.elements]
    assert any(f"ALIGN-MLM {name}" in row for row in read.rows)


def test_colours_have_a_light_and_a_dark_form_and_all_that_are_used_exist():
    style = page.style()
    light, dark = style.split("prefers-color-scheme: dark")
    for name, colour in charts.COLOURS.items():
        assert f"--{name}: {colour.light};" in light and f"--{name}: {colour.dark};" in dark
        assert f".c-{name} {{ --c: var(--{name}); }}" in style
    used = set(re.findall(r"class=\"[^\"]*\bc-(\w+)", page_of(STUDY)))
    assert used <= charts.COLOURS.keys() | {"ink"} and len(used) > 1


@pytest.mark.parametrize("chart", [CHART, plots.bars(cells_of(STUDY)).charts[0]], ids=["plane", "bars"])
def test_a_chart_is_well_formed_and_each_mark_says_its_value(chart):
    root = ElementTree.fromstring(svg.draw(chart))
    assert root.get("aria-label") == chart.title
    marks = [group for group in root.iter("g") if "mark" in group.get("class")]
    tips = [group.find("title").text for group in marks]
    expected = [mark.tip for mark in chart.marks if not isinstance(mark, Line)]
    expected += [tip for line in chart.of(Line) for tip in line.tips]
    assert sorted(tips) == sorted(expected)
    width, height = map(float, root.get("viewBox").split()[2:])
    for circle in root.iter("circle"):
        assert 0 <= float(circle.get("cx")) <= width and 0 <= float(circle.get("cy")) <= height


def test_bars_are_as_long_as_their_values():
    chart = plots.bars(cells_of([pos(0.25), pos(0.5, objective="mlm"), pos(0, objective="tlm")])).charts[0]
    bars = [
        float(rect.get("width"))
        for rect in ElementTree.fromstring(svg.draw(chart)).iter("rect")
        if rect.get("class") != "hit"
    ]
    assert [bar.value for bar in chart.of(Bar)] == [50, 0, 25] and bars == pytest.approx(
        [2 * bars[2], 0, bars[2]], abs=0.1
    )
