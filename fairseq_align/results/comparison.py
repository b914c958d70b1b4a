"""Transfer beside the paper's: B_S, B_Z and gap of each row and task, and how the gap follows alignment."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

from fairseq_align.results import paper
from fairseq_align.results.aggregate import MISSING, ROLES, TASKS, Cell, Cells, Row, rows_of, show
from fairseq_align.results.correlation import LEAST, Correlation, spearman
from fairseq_align.results.records import PERCENT


class Comparison(NamedTuple):
    """Transfer of one row in one task.

    Attributes:
        title: the task, with ``, frozen`` if the word embeddings were.
        supervised, zero_shot, gap, source, alignment: our cells, None where there is none.
        figures: the paper's on this row, None where it has none.
    """

    row: Row
    task: str
    title: str
    supervised: Cell | None
    zero_shot: Cell | None
    gap: Cell | None
    source: Cell | None
    alignment: Cell | None
    figures: paper.Figures | None

    def runs(self) -> dict[int, tuple[float, float]]:
        """Alignment and gap of each seed that has both, in %; B_Z less the score on the source language if no seed has
        a supervised one."""
        gaps = self.gap and _by_seed(self.gap)
        if not gaps and self.source and self.zero_shot:
            source = _by_seed(self.source)
            gaps = {seed: value - source[seed] for seed, value in _by_seed(self.zero_shot).items() if seed in source}
        aligned = _by_seed(self.alignment) if self.alignment else {}
        return {seed: (100 * aligned[seed], 100 * gap) for seed, gap in (gaps or {}).items() if seed in aligned}


def _by_seed(cell: Cell) -> dict[int, float]:
    return dict(zip(cell.seeds, cell.values, strict=True))


def comparisons(cells: Cells) -> list[Comparison]:
    """Rows and tasks with transfer, on the test split, or the validation split where only that was scored."""
    means = {
        (place.row, place.column.kind, place.column.split): cell for place, cell in cells.items() if not place.lang
    }
    found = []
    for task, name in TASKS.items():
        for frozen in ("", ", frozen"):
            for row in rows_of(cells):
                for split in ("test", "valid"):
                    roles = {role: means.get((row, f"{name} {role}{frozen}", split)) for role in ROLES}
                    if roles["supervised"] or roles["zero-shot"]:
                        found.append(Comparison(
                            row, task, name + frozen, roles["supervised"], roles["zero-shot"], roles["gap"],
                            roles["source"], means.get((row, "P@1 seen", "seen")), paper.figures(*row),
                        ))  # fmt: skip
                        break
    return found


def comparison_table(found: Sequence[Comparison]) -> list[list[str]]:
    """B_S, B_Z, gap and alignment, ours and the paper's, a line for each row and task."""
    lines = [["task", "derivation", "objective", "lexicon", "seeds", "B_S", "B_Z", "gap", "P@1 seen"]]
    lines[0] += [f"paper's {name}" for name in ("B_S", "B_Z", "gap", "alignment")]
    for one in found:
        cells = (one.supervised, one.zero_shot, one.gap, one.alignment)
        seeds = max(len(cell.seeds) for cell in cells if cell)
        theirs = [MISSING] * 4
        if one.figures and not one.title.endswith("frozen"):
            theirs = [f"{value:.1f}" for value in (*getattr(one.figures, one.task), one.figures.alignment)]
        row = one.row
        lines.append([one.title, row.derivation or "none", row.name, row.lexicon, str(seeds)]
                     + [show(cell, PERCENT, seeds) for cell in cells] + theirs)  # fmt: skip
    return lines


class Points(NamedTuple):
    """Alignment and gap of every trained model, for one task.

    Attributes:
        rows: what was trained, one for each point.
        alignment: P@1 of seen pairs in %.
        gap: in points, against what ``reference`` names.
        reference: "B_S", or "source" where no supervised model was scored.
        correlation: of the two, None for too few points.
    """

    rows: list[Row]
    alignment: list[float]
    gap: list[float]
    reference: str
    correlation: Correlation | None


def points(found: Sequence[Comparison], title: str) -> Points:
    """Points of a task, from those rows with a supervised model if there is any."""
    of_task = [one for one in found if one.title == title]
    supervised = [one for one in of_task if one.gap]
    runs = [(one.row, *run) for one in supervised or of_task for run in one.runs().values()]
    rows, alignment, gap = ([run[i] for run in runs] for i in range(3))
    return Points(rows, alignment, gap, "B_S" if supervised else "source", spearman(alignment, gap))


@functools.cache
def paper_points(task: str) -> Points:
    """The paper's twelve points of a task."""
    names = {transforms: "+".join(sorted(transforms, key=paper.TRANSFORMS.index)) for transforms, _ in paper.FIGURES}
    rows = [Row(names[transforms], objective, None) for transforms, objective in paper.FIGURES]
    alignment = [figures.alignment for figures in paper.FIGURES.values()]
    gap = [getattr(figures, task).gap for figures in paper.FIGURES.values()]
    return Points(rows, alignment, gap, "B_S", spearman(alignment, gap))


def correlation_lines(found: Sequence[Comparison]) -> list[str]:
    """Correlation of alignment and gap in each task that was scored, ours and the paper's, a sentence a line."""
    lines = []
    for title in dict.fromkeys(one.title for one in found):
        ours = points(found, title)
        few = f"{len(ours.rows)} models, too few or without spread (at least {LEAST} are needed)"
        lines.append(f"{title}, B_Z − {ours.reference}: {ours.correlation or few}.")
    for task in dict.fromkeys(one.task for one in found):
        lines.append(f"{TASKS[task]}, the paper's twelve points: {paper_points(task).correlation}.")
    return lines
