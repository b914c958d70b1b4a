"""report.html: a report as one page that needs no network and no other file.

Tables sort by a click on a column, figures say the value under the mouse or finger, colours follow the reader's
setting, light or dark. Texts of records are escaped, and the page allows no script but its own.
"""

import base64
import hashlib
import html
import re
from collections.abc import Iterator, Mapping, Sequence

from fairseq_align.results import charts, svg
from fairseq_align.results.charts import Figure
from fairseq_align.results.svg import text
from fairseq_align.results.tables import NAMES, Table

BROAD, LONGEST = 30, 200  # characters of a name that is broken into lines, and of one that is cut
STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c1e21; --muted: #5b6168; --rule: #dfe2e6; --soft: #f5f6f8;
  --link: #0059a8; LIGHT }
@media (prefers-color-scheme: dark) { :root { --page: #15171a; --ink: #e6e8ea; --muted: #a2a8af; --rule: #33383e;
  --soft: #1e2125; --link: #7ab8f5; DARK } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem clamp(.8rem, 3vw, 2rem) 4rem; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .6rem 0; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0; overflow-wrap: anywhere; }
p, li, dd { overflow-wrap: anywhere; max-width: 48rem; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem; }
.note { color: var(--muted); font-size: .85rem; margin: .1rem 0 .4rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th.name, td.name { text-align: left; }
td.long { white-space: normal; overflow-wrap: anywhere; min-width: 12rem; max-width: 20rem; }
th.name:first-child, td.name:first-child { position: sticky; left: 0; background: var(--page); }
thead th.name:first-child { background: var(--soft); }
thead th { background: var(--soft); vertical-align: bottom; white-space: normal; font-weight: 600; }
thead button { all: unset; cursor: pointer; }
thead button:focus-visible { outline: 2px solid var(--link); }
thead button::after { content: "\\2195"; color: var(--muted); opacity: .5; margin-left: .25em; }
[aria-sort=ascending] button::after { content: "\\2191"; opacity: 1; }
[aria-sort=descending] button::after { content: "\\2193"; opacity: 1; }
tbody tr:hover td { background: var(--soft); }
tfoot td { color: var(--muted); border-bottom: 0; }
tbody tr:last-child td { border-bottom-color: var(--muted); }
table.whole tbody tr:last-child td { border-bottom: 0; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1.4rem 1.6rem;
  margin: 1rem 0; }
.panels.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); }
figure { margin: 0; min-width: 0; }
figure svg { display: block; width: 100%; max-width: 28rem; height: auto; overflow: visible; }
.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: 0; margin: .6rem 0; list-style: none;
  font-size: .875rem; }
.keys svg { vertical-align: -2px; margin-right: .4em; overflow: visible; }
svg text { font: 12px system-ui, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; fill: var(--ink); }
svg .tick { fill: var(--muted); font-size: 11px; }
svg .middle { text-anchor: middle; } svg .end { text-anchor: end; } svg .heading { font-weight: 600; }
svg .value { font-variant-numeric: tabular-nums; }
svg .word { font-size: 10.5px; paint-order: stroke; stroke: var(--page); stroke-width: 3px; pointer-events: none; }
svg .grid { stroke: var(--rule); fill: none; } svg .frame { stroke: var(--rule); fill: none; }
.bar rect { fill: var(--c); } .bar .hit, .segment .wide, .point circle { fill: transparent; }
.spread { stroke: var(--ink); stroke-width: 1.6; } .seed { fill: var(--ink); stroke: var(--page); stroke-width: .6; }
.dot circle, .dot path { fill: var(--c); stroke: var(--c); stroke-width: 1.6; }
.dot .hollow { fill: transparent; } .dot .arms, .dot .line { fill: none; }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.band { fill: var(--c); opacity: .18; }
svg .line-name { fill: var(--ink); }
.segment path { stroke: var(--muted); stroke-width: 1; fill: none; opacity: .75; }
.segment .wide { stroke: transparent; stroke-width: 9; }
.mark:hover { --c: var(--ink); }
.segment.mark:hover path:last-child { stroke: var(--ink); stroke-width: 2.5; opacity: 1; }
.point:hover circle { fill: var(--c); }
#tip { position: fixed; z-index: 9; pointer-events: none; max-width: min(22rem, 90vw); padding: .35rem .55rem;
  border-radius: 5px; background: var(--ink); color: var(--page); font-size: .85rem; overflow-wrap: anywhere; }
details pre { overflow-x: auto; font-size: .75rem; background: var(--soft); padding: .7rem; border-radius: 6px; }
dt { font-weight: 600; overflow-wrap: anywhere; } dd { margin: 0 0 .5rem; }
COLOURS
wbr { display: none; }
@media (max-width: 40rem) {
  wbr { display: inline; }
  td.name { white-space: normal; overflow-wrap: anywhere; min-width: 6.5rem; }
}
@media print { nav, thead button::after { display: none; } }
"""
SCRIPT = """
'use strict';
const number = text => {
  const found = text.replace(/,/g, '').replace('\\u2212', '-').match(/^-?\\d+(\\.\\d+)?/);
  return found ? Number(found[0]) : null;
};
for (const table of document.querySelectorAll('table')) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0], rows = [...body.rows];
  heads.forEach((head, column) => {
    head.querySelector('button').addEventListener('click', () => {
      const was = head.getAttribute('aria-sort'), names = head.classList.contains('name');
      const next = was === null ? (names ? 'ascending' : 'descending')
        : was === (names ? 'ascending' : 'descending') ? (names ? 'descending' : 'ascending') : null;
      heads.forEach(other => other.removeAttribute('aria-sort'));
      if (next) head.setAttribute('aria-sort', next);
      const way = next === 'descending' ? -1 : 1, text = row => row.cells[column].textContent;
      const compare = (a, b) => {
        if (names) return way * text(a).localeCompare(text(b));
        const x = number(text(a)), y = number(text(b));
        return x === null ? (y === null ? 0 : 1) : y === null ? -1 : way * (x - y);
      };
      body.append(...(next ? [...rows].sort(compare) : rows));
    });
  });
}
const tip = document.getElementById('tip');
for (const mark of document.querySelectorAll('.mark')) {
  mark.dataset.tip = mark.firstElementChild.textContent;
  mark.firstElementChild.remove();
}
const show = event => {
  const mark = event.target.closest('.mark');
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const x = event.clientX, y = event.clientY, box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - box.width - 8)) + 'px';
  tip.style.top = (y - box.height - 12 > 0 ? y - box.height - 12 : y + 16) + 'px';
};
addEventListener('pointermove', show);
addEventListener('pointerdown', show);
addEventListener('scroll', () => { tip.hidden = true; }, { passive: true });
"""


def _variables(which: str) -> str:
    colours = {name: getattr(colour, which) for name, colour in charts.COLOURS.items()}
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def style() -> str:
    """The style sheet, with the colours of figures."""
    classes = "\n".join(f".c-{name} {{ --c: var(--{name}); }}" for name in (*charts.COLOURS, "ink"))
    return STYLE.replace("LIGHT", _variables("light")).replace("DARK", _variables("dark")).replace("COLOURS", classes)


def page(
    title: str,
    tables: Mapping[str, Table],
    figures: Sequence[Figure],
    legend: Sequence[str],
    correlations: Sequence[str],
    signatures: Sequence[str],
) -> str:
    """The whole page.

    Args:
        tables: by title; the first one stands before the figures, the others behind them.
        legend: what the numbers mean, a line each.
        correlations: lines of the correlation of alignment and gap.
        signatures: of every score.
    """
    first, *others = tables
    sections = [(first, table(tables[first]))]
    for figure in figures:
        below = _list(correlations) if figure.name == "scatter" else ""
        sections.append((figure.title, _panels(figure) + below))
    sections += [(name, table(tables[name])) for name in others]
    sections.append(("What the numbers mean", _legend(legend)))
    lines = "\n".join(text(line, 2000) for line in signatures)
    sections.append((
        "Signatures",
        f"<p>Every score above with what is needed to repeat it.</p><details><summary>{len(signatures):,} scores"
        f'</summary><pre tabindex="0">{lines}</pre></details>',
    ))  # fmt: skip
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(title)}</title><style>{style()}</style></head><body>",
        f"<h1>{text(title)}</h1>",
        "<nav>" + " ".join(f'<a href="#{_anchor(name)}">{text(name)}</a>' for name, _ in sections) + "</nav>",
        *(f'<section id="{_anchor(name)}"><h2>{text(name)}</h2>\n{inside}</section>' for name, inside in sections),
        f'<div id="tip" role="status" hidden></div><script>{SCRIPT}</script></body></html>',
    ]
    return "\n".join(parts) + "\n"


def _anchor(name: str) -> str:
    return html.escape(re.sub(r"\W+", "-", name.lower()).strip("-"))


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{text(line, 4000)}</li>" for line in lines) + "</ul>" if lines else ""


def _legend(lines: Sequence[str]) -> str:
    """Sentences as terms and what they mean, where they begin with a word and a colon."""
    parts = []
    for line in lines:
        word, colon, meaning = line.partition(": ")
        if colon:
            parts.append(f"<dt>{text(word, 500)}</dt><dd>{text(meaning, 4000)}</dd>")
        else:
            parts.append(f"<dd>{text(line, 4000)}</dd>")
    return f"<dl>{''.join(parts)}</dl>"


# tables


def table(lines: Table) -> str:
    """A table in a box of its own that scrolls; names to the left, numbers to the right, the line of n at the end."""
    header, *body = lines
    last = [body.pop()] if "n" in body[-1][: header.index("lexicon") if "lexicon" in header else 1] else []
    kinds = [' class="name"' if name in NAMES else "" for name in header]
    whole = "" if last else ' class="whole"'
    head = "".join(_head(kind, name) for kind, name in zip(kinds, header, strict=True))
    foot = f"<tfoot>{_rows(last, kinds)}</tfoot>" if last else ""
    return (
        f'<div class="scroll" tabindex="0" role="group"><table{whole}><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{_rows(body, kinds)}</tbody>{foot}</table></div>\n"
    )


def _head(kind: str, name: str) -> str:
    return f'<th scope="col"{kind}><button type="button">{text(name)}</button></th>'


def _rows(lines: Sequence[Sequence[str]], kinds: Sequence[str]) -> str:
    return "\n".join(
        "<tr>" + "".join(_cell(kind, cell) for kind, cell in zip(kinds, line, strict=True)) + "</tr>" for line in lines
    )


def _cell(kind: str, value: str) -> str:
    if kind and len(value) > BROAD:
        kind = ' class="name long"'
    inside = f"<bdi>{text(value, LONGEST).replace('+', '+<wbr>')}</bdi>" if kind and value else text(value, LONGEST)
    return f"<td{kind}>{inside}</td>"


# figures


def _panels(figure: Figure) -> str:
    def parts() -> Iterator[str]:
        yield f'<p class="note">{text(figure.caption, 2000)}</p>'
        if figure.keys:
            entries = (f"<li>{svg.key(entry)}<bdi>{text(entry.label, 60)}</bdi></li>" for entry in figure.keys)
            yield f'<ul class="keys">{"".join(entries)}</ul>'
        wide = " wide" if figure.across < 3 else ""
        yield f'<div class="panels{wide}">'
        for chart in figure.charts:
            note = f'<p class="note">{text(chart.note, 1000)}</p>' if chart.note else ""
            yield f"<figure><figcaption><h3>{text(chart.title)}</h3>{note}</figcaption>{svg.draw(chart)}</figure>"
        yield "</div>"

    return "\n".join(parts())
