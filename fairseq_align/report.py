"""Tables and a figure from results: what alignment buys in zero-shot transfer.

    records -> ``count`` (one score a seed) -> ``aggregate`` (cells: mean and spread over seeds)
            -> ``tables`` -> report.md, report.csv, standard output;  cells -> ``draw`` -> report.png

A row is what was trained (objective, share of the vocabulary in the lexicon, derivation), a column what was scored.
"""

import argparse
import csv
import io
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fairseq_align import results
from fairseq_align.errors import InputError
from fairseq_align.results import NATS, OBJECTIVES, Unit

logger = logging.getLogger(__name__)

MISSING = "—"
GROUPS = ("Zero-shot transfer", "Cosine and language model")  # one table each
ORDER = (
    "P@1 seen", "P@1 held-out", "POS source", "POS zero-shot", "POS source, frozen", "POS zero-shot, frozen",
    "cosine seen", "cosine held-out", "MLM loss", "unigram entropy", "entropy − loss",
)  # fmt: skip
LEGEND = {
    "P@1": "share of a dictionary's source words whose nearest target word by cosine is a translation, in %",
    "cosine": "mean cosine of the word embeddings of dictionary pairs, in [-1, 1]",
    "seen": "pairs in the lexicon of training",
    "held-out": "pairs kept from training",
    "POS": "accuracy of part-of-speech tags after fine-tuning on the source language, in %",
    "source": "scored on the language of fine-tuning",
    "zero-shot": "scored on a language without fine-tuning data",
    "frozen": "fine-tuned with the word embeddings as pre-trained; other columns: all weights tuned",
    "MLM loss": "loss of masked tokens, in nats a token",
    "unigram entropy": "loss of a model that knows the frequencies of tokens and no context, in nats a token",
    "entropy − loss": "what context gives the model, in nats a token",
}


class Row(NamedTuple):
    """What was trained."""

    derivation: str | None
    objective: str
    lexicon_rate: float | None

    @property
    def sort_key(self) -> tuple:
        rate = -1.0 if self.lexicon_rate is None else self.lexicon_rate
        return self.derivation or "", OBJECTIVES.index(self.objective), rate

    @property
    def name(self) -> str:
        return self.objective.replace("_", "-").upper()

    @property
    def lexicon(self) -> str:
        return "none" if self.lexicon_rate is None else f"{100 * self.lexicon_rate:g} %"


@dataclass(frozen=True)
class Column:
    """What was scored.

    Attributes:
        kind: one of ``ORDER``.
        split: split of the data, or "seen" / "heldout".
        unit: how values are shown.
    """

    kind: str
    split: str
    unit: Unit

    @property
    def sort_key(self) -> tuple:
        return ORDER.index(self.kind), self.split

    @property
    def group(self) -> str:
        return GROUPS[self.kind.startswith(("cosine", "MLM", "unigram", "entropy"))]

    @property
    def title(self) -> str:
        """The kind, with the split where it is not the usual one: ``POS zero-shot (valid)``."""
        usual = {"P@1": self.split, "cosine": self.split, "POS": "test"}.get(self.kind.split()[0], "valid")
        return self.kind if self.split == usual else f"{self.kind} ({self.split})"


class Score(NamedTuple):
    """One record in its place of the table."""

    row: Row
    column: Column
    lang: str
    seed: int
    value: float
    n: int


@dataclass(frozen=True)
class Cell:
    """Scores of one row and column: a value and the number of items scored for each seed, in the order of seeds."""

    seeds: tuple[int, ...]
    values: tuple[float, ...]
    n: tuple[int, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over seeds; None for a single seed."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


class Place(NamedTuple):
    """Where a cell stands; ``lang`` is one scored language, or None for the mean over the row's languages."""

    row: Row
    lang: str | None
    column: Column

    @property
    def sort_key(self) -> tuple:
        return self.row.sort_key, self.lang or "", self.column.sort_key


Cells = dict[Place, Cell]


# records -> scores


def row_of(record: dict) -> Row:
    return Row(record["derivation"], record["objective"], record["lexicon_rate"])


def column_of(record: dict) -> Column:
    """The column of a record, over all languages."""
    match record["task"], record["metric"]:
        case "alignment", metric:
            name = {"p@1": "P@1", "cos": "cosine"}[metric]
            kind = f"{name} {'held-out' if record['split'] == 'heldout' else 'seen'}"
        case "pos", _:
            kind = "POS source" if record["lang"] == record["source_lang"] else "POS zero-shot"
            kind += ", frozen" * record["freeze_embeddings"]
        case _, metric:
            kind = {"loss": "MLM loss", "unigram_entropy": "unigram entropy"}[metric]
    return Column(kind, record["split"], results.metric_of(record).unit)


def count(records: Iterable[dict]) -> list[dict]:
    """The records that count: one for each row, column, language and seed, the last one read.

    A run repeated with its seed gives another checkpoint, and both would stand as two seeds; the log says so.
    """
    counted: dict[tuple, dict] = {}
    for record in results.latest(records):
        place = (row_of(record), column_of(record), record["lang"], record["seed"])
        if place in counted:
            row, column, lang, seed = place
            logger.warning(
                "%s, lexicon %s, %s, %s, seed %d: several checkpoints, lexicons or source languages, the last counts",
                row.name, row.lexicon, column.title, lang, seed,
            )  # fmt: skip
        counted[place] = record
    return list(counted.values())


def scores_of(records: Iterable[dict]) -> list[Score]:
    """Counted records in their places, and ``entropy − loss`` wherever a seed has both for a language and split."""
    scores = [
        Score(row_of(record), column_of(record), record["lang"], record["seed"], record["value"], record["n"])
        for record in records
    ]
    entropy = {(s.row, s.column.split, s.lang, s.seed): s.value for s in scores if s.column.kind == "unigram entropy"}
    differences = [
        s._replace(
            column=Column("entropy − loss", s.column.split, NATS),
            value=entropy[s.row, s.column.split, s.lang, s.seed] - s.value,
        )
        for s in scores
        if s.column.kind == "MLM loss" and (s.row, s.column.split, s.lang, s.seed) in entropy
    ]
    return scores + differences


# scores -> cells


def aggregate(scores: Iterable[Score]) -> Cells:
    """Cells of every row and column over languages and, where a column has several languages, of each of them.

    A seed's value is the mean over all languages that the column has for the derivation, its ``n`` their sum. A seed
    that lacks one of them is left out, as its mean would stand for other languages; the log says so.
    """
    grouped: dict[tuple[Row, Column], dict[str, dict[int, Score]]] = defaultdict(lambda: defaultdict(dict))
    langs: dict[tuple[str | None, Column], set[str]] = defaultdict(set)
    for score in scores:
        grouped[score.row, score.column][score.lang][score.seed] = score
        langs[score.row.derivation, score.column].add(score.lang)
    several = {column for (_, column), names in langs.items() if len(names) > 1}
    cells: Cells = {}
    for (row, column), by_lang in grouped.items():
        cells[Place(row, None, column)] = _mean_cell(by_lang, sorted(langs[row.derivation, column]), row, column)
        for lang, by_seed in by_lang.items() if column in several else ():
            cells[Place(row, lang, column)] = _cell([by_seed], sorted(by_seed))
    return {place: cells[place] for place in sorted(cells, key=lambda place: place.sort_key) if cells[place].seeds}


def _mean_cell(by_lang: dict[str, dict[int, Score]], langs: Sequence[str], row: Row, column: Column) -> Cell:
    """The mean over ``langs``, of the seeds that have them all."""
    by_seeds = [by_lang.get(lang, {}) for lang in langs]
    with_all = set.intersection(*map(set, by_seeds))
    for seed in sorted(set.union(*map(set, by_seeds)) - with_all):
        logger.warning(
            "%s, lexicon %s, %s: seed %d lacks one of the languages %s and is left out of their mean",
            row.name, row.lexicon, column.title, seed, ", ".join(langs),
        )  # fmt: skip
    return _cell(by_seeds, sorted(with_all))


def _cell(by_seeds: Sequence[dict[int, Score]], seeds: Sequence[int]) -> Cell:
    """One cell of these seeds from the scores of each language by seed."""
    values = tuple(float(np.mean([by_seed[seed].value for by_seed in by_seeds])) for seed in seeds)
    return Cell(tuple(seeds), values, tuple(sum(by_seed[seed].n for by_seed in by_seeds) for seed in seeds))


def rows_of(cells: Cells) -> list[Row]:
    return sorted({place.row for place in cells}, key=lambda row: row.sort_key)


def columns_of(cells: Cells) -> list[Column]:
    return sorted({place.column for place in cells}, key=lambda column: column.sort_key)


# cells -> tables


def tables(cells: Cells) -> dict[str, list[list[str]]]:
    """Tables by title, each a list of lines of shown cells, the header first; only those with data."""
    means = {place: cell for place, cell in cells.items() if place.lang is None}
    by_title = {
        group: {place: cell for place, cell in means.items() if place.column.group == group} for group in GROUPS
    }
    by_title["Each language"] = {place: cell for place, cell in cells.items() if place.lang is not None}
    several_derivations = len({row.derivation for row in rows_of(cells)}) > 1
    return {title: table(part, several_derivations) for title, part in by_title.items() if part}


def table(cells: Cells, with_derivation: bool) -> list[list[str]]:
    """Lines of shown cells: a header, a line for each row and language of the cells, and n.

    ``seeds`` is the largest number of seeds in the line; a cell of fewer says how many in parentheses.
    """
    columns = columns_of(cells)
    with_lang = any(place.lang is not None for place in cells)

    def line(derivation: str, objective: str, lexicon: str, lang: str, seeds: str, shown: Iterable[str]) -> list[str]:
        return [derivation] * with_derivation + [objective, lexicon] + [lang] * with_lang + [seeds, *shown]

    lines = [line("derivation", "objective", "lexicon", "lang", "seeds", (column.title for column in columns))]
    for row, lang in dict.fromkeys((place.row, place.lang) for place in cells):
        found = [cells.get(Place(row, lang, column)) for column in columns]
        seeds = max(len(cell.seeds) for cell in found if cell)
        shown = (show(cell, column.unit, seeds) for cell, column in zip(found, columns, strict=True))
        lines.append(line(row.derivation or "none", row.name, row.lexicon, lang or "", str(seeds), shown))
    lines.append(line("", "n", "", "", "", (_show_n(cells, column) for column in columns)))
    return lines


def show(cell: Cell | None, unit: Unit, seeds: int) -> str:
    """``43.4 ± 1.2``, without a spread for one seed, with ``(2)`` where the cell has 2 seeds and ``seeds`` differs."""
    if cell is None:
        return MISSING
    spread = "" if cell.spread is None else f" ± {unit.show(cell.spread)}"
    fewer = "" if len(cell.seeds) == seeds else f" ({len(cell.seeds)})"
    return unit.show(cell.mean) + spread + fewer


def _show_n(cells: Cells, column: Column) -> str:
    """Items scored by a seed: one number, or the smallest and the largest over rows and seeds."""
    n = [n for place, cell in cells.items() if place.column == column for n in cell.n]
    return f"{min(n):,}" if min(n) == max(n) else f"{min(n):,}–{max(n):,}"


# tables -> text


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are padded to read well raw; names to the left, numbers to the right."""
    left = {i for i, title in enumerate(lines[0]) if title in ("derivation", "objective", "lang")}
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]

    def padded(line: Sequence[str]) -> str:
        cells = (cell.ljust(widths[i]) if i in left else cell.rjust(widths[i]) for i, cell in enumerate(line))
        return f"| {' | '.join(cells)} |"

    rule = ["-" * w if i in left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([padded(lines[0]), padded(rule), *map(padded, lines[1:])])


def legend(cells: Cells, records: Sequence[dict]) -> list[str]:
    """What the numbers mean, one sentence a line, only for the columns that are there."""
    kinds = {column.kind for column in columns_of(cells)}
    lines = [f"{word}: {meaning}." for word, meaning in LEGEND.items() if any(word in kind for kind in kinds)]
    langs: dict[Column, set[str]] = defaultdict(set)
    for score in scores_of(records):
        langs[score.column].add(score.lang)
    titles: dict[str, list[str]] = defaultdict(list)
    for column in sorted(langs, key=lambda column: column.sort_key):
        titles[", ".join(sorted(langs[column]))].append(column.title)
    lines += [f"Scored on {names}: {'; '.join(scored)}." for names, scored in titles.items()]
    return [
        f"Mean over seeds ± sample standard deviation; one seed has no spread. {MISSING}: not scored.",
        "n: items scored for one seed, over all its languages.",
        *lines,
    ]


def to_markdown(cells: Cells, records: Sequence[dict]) -> str:
    """The whole report.md."""
    parts = ["# Alignment and zero-shot transfer"]
    parts += [f"## {title}\n\n{markdown_table(lines)}" for title, lines in tables(cells).items()]
    parts.append("\n".join(f"- {line}" for line in legend(cells, records)))
    parts.append(
        "![Bars: accuracy of part-of-speech tags and P@1 of the alignment of each objective](report.png)\n\n"
        "Bars are means over seeds, lines ± one standard deviation, dots single seeds."
    )
    ordered = sorted(records, key=lambda r: (row_of(r).sort_key, column_of(r).sort_key, r["lang"], r["seed"]))
    signatures = "\n".join(results.signature(record) for record in ordered)
    parts.append(f"## Signatures\n\nEvery score above, in the order of rows and columns.\n\n```text\n{signatures}\n```")
    return "\n\n".join(parts) + "\n"


def to_csv(cells: Cells) -> str:
    """The whole report.csv: one line a cell, values unrounded fractions or nats, empty where there is none.

    ``lang`` is empty for the mean over languages, ``n`` the items of each seed, in the order of ``seeds``.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["derivation", "objective", "lexicon_rate", "score", "split", "lang", "mean", "sd", "seeds", "n"])
    for (row, lang, column), cell in cells.items():
        writer.writerow([
            row.derivation, row.objective, row.lexicon_rate, column.kind, column.split, lang,
            cell.mean, cell.spread, " ".join(map(str, cell.seeds)), " ".join(map(str, cell.n)),
        ])  # fmt: skip
    return out.getvalue()


# cells -> figure

FONT, SMALL = 14, 11  # points, at 12 inches of width: still readable at half size
PANELS = {
    "POS accuracy (%)": {  # palette of Okabe and Ito: told apart with any colour vision
        "POS source": "#56B4E9",
        "POS source, frozen": "#0072B2",
        "POS zero-shot": "#E69F00",
        "POS zero-shot, frozen": "#D55E00",
    },
    "Alignment P@1 (%)": {"P@1 seen": "#009E73", "P@1 held-out": "#CC79A7"},
}


def draw(cells: Cells, path: Path) -> None:
    """Write the figure as PNG: transfer at the left, alignment at the right, one group of bars a row.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            f"{path}: found no matplotlib, expected it to draw the figure; pip install fairseq_align[plot]"
        ) from error
    rows = rows_of(cells)
    with rc_context({"font.size": FONT}):
        figure = Figure(figsize=(12, 2.2 + 0.9 * len(rows)), dpi=150, layout="constrained")
        for axes, (label, colours) in zip(figure.subplots(1, 2, sharey=True), PANELS.items(), strict=True):
            _draw_panel(axes, cells, rows, colours)
            axes.set_xlabel(label)
        _name_rows(figure.axes[0], rows)
        with _replaced(path) as part:
            FigureCanvasAgg(figure).print_png(part)


def _draw_panel(axes, cells: Cells, rows: Sequence[Row], colours: dict[str, str]) -> None:
    """Horizontal bars from the top: a group for each row, a bar for each score that any row has."""
    shown = {(place.row, place.column.title): cell for place, cell in cells.items() if place.lang is None}
    columns = {column.title: column for column in columns_of(cells)}
    titles = [title for title in colours if title in columns]
    height = 0.8 / max(1, len(titles))
    for i, title in enumerate(titles):
        offset = (i - (len(titles) - 1) / 2) * height
        present = [(y + offset, shown[row, title]) for y, row in enumerate(rows) if (row, title) in shown]
        axes.barh(
            [y for y, _ in present], [100 * cell.mean for _, cell in present], height,
            label=title, color=colours[title], edgecolor="white", zorder=2,
        )  # fmt: skip
        for y, cell in present:
            _draw_cell(axes, y, cell, height, columns[title].unit)
        for y, row in enumerate(rows):
            if (row, title) not in shown:
                axes.text(1, y + offset, "not scored", va="center", fontsize=SMALL, color="#666666")
    axes.set_xlim(0, 114)  # room for the number of a bar near 100
    axes.set_xticks(range(0, 101, 20))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    if titles:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    else:
        axes.text(0.5, 0.5, "no scores", transform=axes.transAxes, ha="center", va="center", backgroundcolor="white")


def _draw_cell(axes, y: float, cell: Cell, height: float, unit: Unit) -> None:
    """On a bar of that height: the spread as a line in its upper part, seeds as dots below, the mean as a number."""
    values = 100 * np.array(cell.values)
    if cell.spread is not None:
        axes.errorbar(
            values.mean(), y - 0.2 * height, xerr=100 * cell.spread, color="black", linewidth=1.5, capsize=3, zorder=3
        )
    ys = y + height * np.linspace(0, 0.3, len(values)) if len(values) > 1 else [y]
    axes.scatter(values, ys, s=14, color="black", edgecolor="white", linewidth=0.6, zorder=4, clip_on=False)
    end = min(103, max(values.max(), values.mean() + 100 * (cell.spread or 0)))
    axes.text(end + 1.5, y, unit.show(cell.mean), va="center", fontsize=SMALL)


def _name_rows(axes, rows: Sequence[Row]) -> None:
    """Name the groups, the first row on top."""
    several = len({row.derivation for row in rows}) > 1
    axes.set_yticks(range(len(rows)), ["\n".join(_row_label(row, several)) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_ylabel("objective, lexicon rate")


def _row_label(row: Row, with_derivation: bool) -> list[str]:
    label = [row.name] if row.lexicon_rate is None else [f"{row.name}, {row.lexicon}"]
    return label + [row.derivation or "no derivation"] * with_derivation


# files


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` when the block ends without an error and is removed otherwise."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_texts(cells: Cells, records: Sequence[dict], folder: Path) -> None:
    """Write report.md and report.csv; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("report.md", to_markdown(cells, records)), ("report.csv", to_csv(cells))):
        with _replaced(folder / name) as part:
            part.write_text(text, encoding="utf-8", newline="\n")


# command line


def add_parser(subparsers) -> None:
    """Add the command ``report`` to ``fairseq-align``."""
    parser = subparsers.add_parser("report", help="table and figure from results", description=__doc__.split("\n")[0])
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS.jsonl", help="results files, read in order")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for report.md, report.csv and report.png"
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the report and print its tables.

    Raises:
        InputError: a results file is missing, broken or holds no score, or matplotlib is not installed.
    """
    records = results.read(*args.results)
    if not records:
        names = ", ".join(map(str, args.results))
        raise InputError(f"{names}: found no scores, expected at least one line; run fairseq-align evaluate first")
    counted = count(records)
    cells = aggregate(scores_of(counted))
    write_texts(cells, counted, args.out)
    print("\n\n".join(f"{title}\n{markdown_table(lines)}" for title, lines in tables(cells).items()))
    draw(cells, args.out / "report.png")  # last: the tables are there even without matplotlib
    return 0
