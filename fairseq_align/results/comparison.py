"""Transfer beside the paper's: B_S, B_Z and gap of each row and task, and how the gap follows alignment."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fairseq_align.results import paper
from fairseq_align.results.aggregate import MISSING, Cell, Cells, Column, Row, rows_of, show
from fairseq_align.results.correlation import LEAST, Correlation, spearman
from fairseq_align.results.metrics import PERCENT, TASKS, fine_tuned_tasks

ALIGNMENT = Column("alignment", "p@1", "whole")  # what the paper measures; gaps are correlated with it


class Comparison(NamedTuple):
    """Transfer of one row in one task.

    Attributes:
        task: name in ``metrics.TASKS``.
        title: label of the task, with ``, frozen`` if the word embeddings were.
        supervised, zero_shot, gap, source, alignment: our cells, None where there is none.
        published: the paper's figures for this row; None where it has none of the task, or embeddings were frozen.
    """

    row: Row
    task: str
    title: str
    supervised: Cell | None
    zero_shot: Cell | None
    gap: Cell | None
    source: Cell | None
    alignment: Cell | None
    published: paper.Figures | None

    def runs(self) -> dict[int, tuple[float, float]]:
        """Alignment and gap of each seed that has both, in %.

        If no seed has a supervised score, the gap is B_Z minus the score on the source language.
        """
        gaps = self.gap and _by_seed(self.gap)
        if not gaps and self.source and self.zero_shot:
            source = _by_seed(self.source)
            gaps = {seed: value - source[seed] for seed, value in _by_seed(self.zero_shot).items() if seed in source}
        aligned = _by_seed(self.alignment) if self.alignment else {}
        return {seed: (100 * aligned[seed], 100 * gap) for seed, gap in (gaps or {}).items() if seed in aligned}


def _by_seed(cell: Cell) -> dict[int, float]:
    return dict(zip(cell.seeds, cell.values, strict=True))


def comparisons(cells: Cells) -> list[Comparison]:
    """Rows and tasks with transfer, on the first split of the task that was scored: test, else validation."""
    means = {(key.row, key.column): cell for key, cell in cells.items() if key.lang is None}
    compared = []
    for task in fine_tuned_tasks():
        for frozen in (False, True):
            for row in rows_of(cells):
                if comparison := _comparison(means, row, task, frozen):
                    compared.append(comparison)
    return compared


def _comparison(means: dict[tuple[Row, Column], Cell], row: Row, task: str, frozen: bool) -> Comparison | None:
    """Transfer of a row in a task, None where neither a supervised nor a zero-shot score exists."""
    metric = TASKS[task].main
    for split in TASKS[task].metrics[metric].splits:
        supervised, zero_shot, gap, source = (
            means.get((row, Column(task, metric, split, role, frozen)))
            for role in ("supervised", "zero-shot", "gap", "source")
        )
        if supervised or zero_shot:
            title = TASKS[task].label + (", frozen" if frozen else "")
            published = None if frozen else paper.figures(*row)
            if published and task not in published.transfer:
                published = None
            alignment = means.get((row, ALIGNMENT))
            return Comparison(row, task, title, supervised, zero_shot, gap, source, alignment, published)
    return None


def comparison_table(compared: Sequence[Comparison]) -> list[list[str]]:
    """B_S, B_Z, gap and alignment, ours and the paper's, a line for each row and task."""
    lines = [["task", "derivation", "objective", "lexicon", "seeds", "B_S", "B_Z", "gap", ALIGNMENT.title]]
    lines[0] += [f"paper's {name}" for name in ("B_S", "B_Z", "gap", "alignment")]
    for comparison in compared:
        row = comparison.row
        cells = (comparison.supervised, comparison.zero_shot, comparison.gap, comparison.alignment)
        seeds = max(len(cell.seeds) for cell in cells if cell)
        published = [MISSING] * 4
        if comparison.published:
            figures = comparison.published
            published = [f"{value:.1f}" for value in (*figures.transfer[comparison.task], figures.alignment)]
        lines.append([comparison.title, row.derivation or "none", row.name, row.lexicon, str(seeds)]
                     + [show(cell, PERCENT, seeds) for cell in cells] + published)  # fmt: skip
    return lines


class Points(NamedTuple):
    """Alignment and gap of every trained model, for one task.

    Attributes:
        rows: what was trained, one for each point.
        alignment: P@1 over the whole vocabulary in %.
        gap: in points, against what ``reference`` names.
        reference: "B_S", or "source" where no supervised model was scored.
        correlation: of the two, None for too few points.
    """

    rows: list[Row]
    alignment: list[float]
    gap: list[float]
    reference: str
    correlation: Correlation | None

    @property
    def summary(self) -> str:
        """The correlation, or why there is none."""
        few = f"{len(self.rows)} models with {ALIGNMENT.title}, too few or without spread (at least {LEAST} are needed)"
        return str(self.correlation or few)


def points(compared: Sequence[Comparison], title: str) -> Points:
    """Points of a task, from those rows with a supervised model if there is any.

    Args:
        title: of the comparisons to take.
    """
    of_task = [comparison for comparison in compared if comparison.title == title]
    supervised = [comparison for comparison in of_task if comparison.gap]
    runs = [(comparison.row, *run) for comparison in supervised or of_task for run in comparison.runs().values()]
    rows, alignment, gap = ([run[i] for run in runs] for i in range(3))
    return Points(rows, alignment, gap, "B_S" if supervised else "source", spearman(alignment, gap))


@functools.cache
def paper_points(task: str) -> Points | None:
    """The paper's twelve points of a task; None for a task that is not in the paper."""
    published = {key: figures for key, figures in paper.FIGURES.items() if task in figures.transfer}
    if not published:
        return None
    rows = [
        Row("+".join(sorted(transforms, key=paper.TRANSFORMS.index)), objective, None)
        for transforms, objective in published
    ]
    alignment = [figures.alignment for figures in published.values()]
    gap = [figures.transfer[task].gap for figures in published.values()]
    return Points(rows, alignment, gap, "B_S", spearman(alignment, gap))


def correlation_lines(compared: Sequence[Comparison], shown: Callable[[str], str] = str) -> list[str]:
    """Correlation of alignment and gap in each task that was scored, ours and the paper's, a sentence a line.

    The last line names the rows without the paper's measure, which no other score stands in for.

    Args:
        shown: what becomes of their names.
    """
    lines = []
    for title in dict.fromkeys(comparison.title for comparison in compared):
        ours = points(compared, title)
        lines.append(f"{title}, B_Z − {ours.reference}: {ours.summary}.")
    for task in dict.fromkeys(comparison.task for comparison in compared):
        if published := paper_points(task):
            lines.append(f"{TASKS[task].label}, the paper's twelve points: {published.summary}.")
    without = dict.fromkeys(comparison.row for comparison in compared if not comparison.alignment)
    if without:
        names = "; ".join(
            shown(f"{row.derivation or 'no derivation'}, {row.name}, lexicon {row.lexicon}") for row in without
        )
        lines.append(
            f"Without {ALIGNMENT.title}, which `fairseq-align alignment` gives for a language in derived pieces, and "
            f"left out, as P@1 seen is another measure: {names}."
        )
    return lines
