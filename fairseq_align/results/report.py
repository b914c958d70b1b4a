"""``fairseq_align.report``: tables and figures from results, transfer beside the paper's figures.

results -> aggregate (mean and spread over seeds) -> tables -> report.md, report.tex, report.csv
        -> comparison (B_S, B_Z, gap, the paper's; correlation with alignment);  figures draws
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fairseq_align import files
from fairseq_align.errors import InputError
from fairseq_align.results import aggregate, curves, rendering
from fairseq_align.results.comparison import Comparison, comparisons, correlation_lines
from fairseq_align.results.metrics import metric_of
from fairseq_align.results.records import latest, read, signature
from fairseq_align.results.tables import Table, legend, tables


@dataclass(frozen=True)
class Report:
    """A report and its files.

    Attributes:
        tables: lines of shown cells by title, the header first.
        cells: mean and spread over seeds, of each row and column.
        comparisons: transfer of each row and task, beside the paper's.
        curves: learning curves of each log, by name and metric.
        paths: files that were written, in this order.
    """

    tables: dict[str, Table]
    cells: aggregate.Cells
    comparisons: list[Comparison]
    curves: dict[str, dict[str, curves.Curve]]
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        """The tables, each with its title."""
        return "\n\n".join(f"{title}\n{rendering.markdown_table(lines)}" for title, lines in self.tables.items())


def report(results: str | Path | Sequence[str | Path], out: str | Path, logs: Sequence[str | Path] = ()) -> Report:
    """Write tables and figures of results.

    Args:
        results: results files, read in order; of scores with the same key the last counts.
        out: folder for report.{md,csv,tex,png,svg}, scatter.{png,svg} and, with logs, curves.{png,svg}; it is made.
        logs: of fairseq-train, for learning curves.

    Raises:
        InputError: a results file or log is missing, broken or empty; nothing is written. Or matplotlib is not
            installed; the tables are written all the same.
    """
    written = tabulate(results, out, logs)
    return replace(written, paths=(*written.paths, *draw(written, out)))


def tabulate(results: str | Path | Sequence[str | Path], out: str | Path, logs: Sequence[str | Path] = ()) -> Report:
    """The part of ``report`` that needs no matplotlib: everything but the figures."""
    results = [results] if isinstance(results, str | Path) else results
    records = aggregate.shown(read(*results))
    if not records:
        names = ", ".join(map(str, results))
        raise InputError(f"{names}: found no scores, expected at least one line; run fairseq-align evaluate first")
    logged = curves.read_all([Path(log) for log in logs])
    counted = aggregate.count(record for record in records if not aggregate.in_detail(record))
    details = latest(record for record in records if aggregate.in_detail(record))
    # beside what was compared in detail, the detailed tables repeat the scores of all words
    in_tables = [record for record in records if metric_of(record).details] if details else []
    cells = aggregate.aggregate(aggregate.scores_of(counted))
    compared = comparisons(cells)
    made = tables(cells, compared, in_tables)
    texts = {
        "report.md": to_markdown(cells, compared, made, counted, in_tables, bool(logged)),
        "report.csv": rendering.to_csv(cells),
        "report.tex": rendering.to_latex(made),
    }
    paths = tuple(Path(out) / name for name in texts)
    for path, text in zip(paths, texts.values(), strict=True):
        with files.writing(path) as file:
            file.write(text)
    return Report(made, cells, compared, logged, paths)


def to_markdown(
    cells: aggregate.Cells,
    compared: Sequence[Comparison],
    by_title: dict[str, Table],
    records: Sequence[dict],
    details: Sequence[dict] = (),
    with_curves: bool = False,
) -> str:
    """The whole report.md.

    Args:
        by_title: the tables.
        records: those that the cells were computed from.
        details: those of the detailed tables.
    """
    parts = ["# Alignment and zero-shot transfer"]
    parts += [f"## {title}\n\n{rendering.markdown_table(lines)}" for title, lines in by_title.items()]
    if compared:
        lines = "\n".join(f"- {line}" for line in correlation_lines(compared, rendering.markdown_text))
        parts += [
            f"## Correlation of alignment and gap\n\n{lines}",
            "Spearman's ρ with a 95 % bootstrap interval and a permutation p-value; a point is one trained model.\n\n"
            "![Alignment against gap, a point for each model](scatter.png)",
        ]
    parts += [
        "\n".join(f"- {line}" for line in legend(cells, records, rendering.markdown_text)),
        "![Bars: scores of each task, and P@1 of the alignment, of each objective](report.png)\n\n"
        "Bars are means over seeds, lines ± one standard deviation, dots single seeds.",
    ]
    if with_curves:
        parts.append("![Learning curves of masked-LM loss and cosine of the pairs](curves.png)")
    ordered = sorted(
        zip(records, aggregate.columns(records), strict=True),
        key=lambda pair: (aggregate.row_of(pair[0]).sort_key, pair[1].sort_key, pair[0]["lang"], pair[0]["seed"]),
    )
    signatures = "\n".join(signature(record) for record in [*(record for record, _ in ordered), *details])
    parts.append(f"## Signatures\n\nEvery score above, in the order of rows and columns.\n\n```text\n{signatures}\n```")
    return "\n\n".join(parts) + "\n"


def draw(made: Report, out: str | Path) -> tuple[Path, ...]:
    """Draw every figure that a report has data for, as PNG and SVG.

    Returns:
        the files.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from fairseq_align.results import figures
    except ImportError as error:
        raise InputError(
            f"{Path(out) / 'report.png'}: found no matplotlib, expected it to draw the figures; "
            "bash install.sh brings it"
        ) from error
    drawn = {"report": figures.bars(made.cells)}
    if made.comparisons:
        drawn["scatter"] = figures.scatter(made.comparisons)
    if made.curves:
        drawn["curves"] = figures.learning_curves(made.curves)
    paths = []
    for name, figure in drawn.items():
        for suffix in ("png", "svg"):
            paths.append(Path(out) / f"{name}.{suffix}")
            with files.replacing(paths[-1]) as part:
                figures.save(figure, part, suffix)
    return tuple(paths)
