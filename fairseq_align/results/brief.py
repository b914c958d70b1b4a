"""The answer of a report in a few lines: one narrow table, what it says, and where the picture is."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from fairseq_align.results.aggregate import Cell, CellKey, Cells, Column, Row
from fairseq_align.results.metrics import TRANSFER
from fairseq_align.results.tables import NAMES, Table

NAMED = (*NAMES, "lexicon", "seeds")


def brief(cells: Cells, tables: dict[str, Table], paths: Sequence[Path]) -> str:
    """The answer in lines of text.

    Args:
        cells: mean and spread of each row and column.
        tables: lines of shown cells by title, in the order of the report.
        paths: files of the report; a PNG is named as the picture, ``report.png`` before others.
    """
    title, lines = next(iter(tables.items()))
    parts = [aligned(narrowed(lines) if title == TRANSFER else lines)]
    parts += [fill(sentence, 100) for sentence in sentences(cells)]
    pictures = sorted((path for path in paths if path.suffix == ".png"), key=lambda path: path.stem != "report")
    parts += [f"picture: {path}" for path in pictures[:1]]
    pages = sorted((path for path in paths if path.suffix in (".html", ".md")), key=lambda path: path.suffix)
    parts += [f"all tables: {path}" for path in pages[:1]]
    return f"{parts[0]}\n\n" + "\n".join(parts[1:])


def narrowed(lines: Table) -> Table:
    """What was trained, one alignment score, and of each task the scores on the source and, zero-shot, the target."""
    aligned_by = next((name for name in ("P@1 whole", "P@1 held-out", "P@1 seen") if name in lines[0]), None)
    kept = [
        number
        for number, name in enumerate(lines[0])
        if name in NAMED or name == aligned_by or name.endswith((" source", " zero-shot"))
    ]
    return [[line[number] for number in kept] for line in lines if "n" not in line[:2]]


def aligned(lines: Table) -> str:
    """Columns under each other, names to the left, numbers to the right."""
    widths = [max(len(line[number]) for line in lines) for number in range(len(lines[0]))]
    left = [name in NAMES for name in lines[0]]

    def row(line: Sequence[str]) -> str:
        cells = (c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in zip(line, widths, left, strict=True))
        return "  ".join(cells).rstrip()

    return "\n".join([row(lines[0]), "  ".join("─" * width for width in widths), *map(row, lines[1:])])


def sentences(cells: Cells) -> list[str]:
    """What the first fine-tuned task says: the best model beside MLM, zero-shot, and how well both are aligned."""
    scores: dict[Column, dict[Row, Cell]] = {}
    for key, cell in cells.items():
        if key.lang is None and key.column.role == "zero-shot" and not key.column.frozen:
            scores.setdefault(key.column, {})[key.row] = cell
    for column in sorted(scores, key=lambda column: column.sort_key):
        by_row = scores[column]
        plain = next((row for row in by_row if row.objective == "mlm" and not row.variant), None)
        others = [row for row in by_row if plain and row.derivation == plain.derivation and row.objective != "mlm"]
        if others:
            best = max(others, key=lambda row: by_row[row].mean)
            return [_transfer(column, plain, best, by_row), *_alignment(cells, plain, best, by_row)]
    return []


def _transfer(column: Column, plain: Row, best: Row, by_row: dict[Row, Cell]) -> str:
    shown = [column.unit.show(by_row[row].mean) for row in (plain, best)]
    gain = float(shown[1]) - float(shown[0])
    than = f"{abs(gain):.1f} points {'more' if gain >= 0 else 'less'}"
    dictionary = f" with {best.lexicon} of the vocabulary in the dictionary" if best.lexicon_rate else ""
    return (
        f"Fine-tuned on the source language alone, {plain.name} has {shown[0]} {column.unit.name} {column.title}, "
        f"{best.name}{dictionary} {shown[1]} {column.unit.name}: {than}."
    )


def _alignment(cells: Cells, plain: Row, best: Row, by_row: dict[Row, Cell]) -> list[str]:
    for split, queries in (("whole", "pieces"), ("heldout", "held-out words")):
        column = Column("alignment", "p@1", split)
        found = [cells.get(CellKey(row, None, column)) for row in (plain, best)]
        if all(found):
            shown = [column.unit.show(cell.mean) for cell in found]
            better = found[1].mean > found[0].mean and by_row[best].mean - by_row[plain].mean >= 0.01
            return [
                f"{shown[1]} % of all {queries} find their translation among its word embeddings, {shown[0]} % among "
                f"those of {plain.name}: "
                f"{'the better aligned model transfers better' if better else 'alignment did not help transfer here'}."
            ]
    return []
