"""``fairseq_align.report``: tables and figures from results, transfer beside the paper's figures.

results -> aggregate (mean and spread over seeds) -> tables -> report.md, report.tex, report.csv
        -> comparison (B_S, B_Z, gap, the paper's; correlation with alignment)
        -> plots (charts of all this, of logs and of maps) -> page: report.html;  figures: PNG and SVG
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fairseq_align import files
from fairseq_align.errors import InputError
from fairseq_align.results import aggregate, curves, embedding_map, induction, page, plots, rendering, word_bands
from fairseq_align.results.charts import Figure
from fairseq_align.results.comparison import Comparison, comparisons, correlation_lines
from fairseq_align.results.metrics import metric_of
from fairseq_align.results.records import latest, read, signature
from fairseq_align.results.tables import Table, legend, tables

logger = logging.getLogger(__name__)

TITLE = "Alignment and zero-shot transfer"


@dataclass(frozen=True)
class Report:
    """A report and its files.

    Attributes:
        tables: lines of shown cells by title, the header first.
        cells: mean and spread over seeds, of each row and column.
        comparisons: transfer of each row and task, beside the paper's.
        curves: runs with their learning curves, by name of the log.
        figures: what is to be drawn.
        paths: files that were written, in this order.
    """

    tables: dict[str, Table]
    cells: aggregate.Cells
    comparisons: list[Comparison]
    curves: dict[str, curves.Run]
    figures: tuple[Figure, ...]
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        """The tables, each with its title."""
        return "\n\n".join(f"{title}\n{rendering.markdown_table(lines)}" for title, lines in self.tables.items())


def report(
    results: str | Path | Sequence[str | Path],
    out: str | Path,
    logs: Sequence[str | Path] | None = None,
    maps: Sequence[str | Path] | None = None,
) -> Report:
    """Write tables and figures of results.

    Args:
        results: results files, read in order; of scores with the same key the last counts.
        out: folder for report.{html,md,csv,tex} and, as PNG and SVG, the figures that there are data for: report,
            scatter, kinds, frequencies, induction, curves, alignment-curves, map; it is made.
        logs: of fairseq-train, for learning curves; None: those that the recipes leave beside the results,
            ``runs/*/pretrain/train.log``; empty: none.
        maps: files of ``fairseq-align map``; None: ``map.json`` beside the results, if there is one; empty: none.

    Raises:
        InputError: a results file, log or map is missing, broken or empty; nothing is written. Or matplotlib is not
            installed; the tables and the page are written all the same.
    """
    written = tabulate(results, out, logs, maps)
    return replace(written, paths=(*written.paths, *draw(written, out)))


def tabulate(
    results: str | Path | Sequence[str | Path],
    out: str | Path,
    logs: Sequence[str | Path] | None = None,
    maps: Sequence[str | Path] | None = None,
) -> Report:
    """The part of ``report`` that needs no matplotlib: everything but the figures as files of their own."""
    results = [Path(path) for path in ([results] if isinstance(results, str | Path) else results)]
    records = aggregate.shown(read(*results))
    if not records:
        names = ", ".join(map(str, results))
        raise InputError(f"{names}: found no scores, expected at least one line; run fairseq-align evaluate first")
    unknown = sum(record.get("vocabulary") is None for record in records)
    if unknown:
        logger.warning("%d of %d scores do not say of which dict.txt they are; they are taken", unknown, len(records))
    logged = curves.read_beside(results) if logs is None else curves.read_all([Path(log) for log in logs])
    if maps is None:
        maps = [path for result in results if (path := result.parent / embedding_map.NAME).is_file()]
    drawn_maps = [embedding_map.read(path) for path in dict.fromkeys(maps)]
    counted = aggregate.count(record for record in records if not aggregate.in_detail(record))
    details = latest(record for record in records if aggregate.in_detail(record))
    # beside what was compared in detail, the detailed tables repeat the scores of all words
    in_tables = [record for record in records if metric_of(record).details] if details else []
    cells = aggregate.aggregate(aggregate.scores_of(counted))
    compared = comparisons(cells)
    made = tables(cells, compared, in_tables)
    figures = tuple(_figures(cells, compared, list(logged.values()), drawn_maps, in_tables))
    signatures = _signatures(counted, in_tables)
    texts = {
        "report.html": page.page(
            TITLE, made, figures, legend(cells, counted), correlation_lines(compared) if compared else [], signatures
        ),
        "report.md": to_markdown(cells, compared, made, counted, in_tables, figures),
        "report.csv": rendering.to_csv(cells),
        "report.tex": rendering.to_latex(made),
    }
    paths = tuple(Path(out) / name for name in texts)
    for path, text in zip(paths, texts.values(), strict=True):
        with files.writing(path) as file:
            file.write(text)
    return Report(made, cells, compared, logged, figures, paths)


def _figures(
    cells: aggregate.Cells,
    compared: Sequence[Comparison],
    runs: Sequence[curves.Run],
    maps: Sequence[embedding_map.EmbeddingMap],
    details: Sequence[dict] = (),
) -> Iterator[Figure]:
    """The figures that there are data for, the bars first."""
    if cells:
        yield plots.bars(cells)
    if compared:
        yield plots.scatter(compared)
    for figure in (
        *word_bands.figures(details),
        induction.precision_curves(details),
        plots.alignment_curves(runs),
        plots.learning_curves(runs),
    ):
        if figure:
            yield figure
    for number, made in enumerate(maps, 1):
        figure = plots.embeddings(made)
        yield replace(figure, name=f"{figure.name}-{number}") if number > 1 else figure


def to_markdown(
    cells: aggregate.Cells,
    compared: Sequence[Comparison],
    by_title: dict[str, Table],
    records: Sequence[dict],
    details: Sequence[dict] = (),
    figures: Sequence[Figure] = (),
) -> str:
    """The whole report.md.

    Args:
        by_title: the tables.
        records: those that the cells were computed from.
        details: those of the detailed tables.
        figures: all of them; of the scatter its table says all.
    """
    parts = [f"# {TITLE}"]
    parts += [f"## {title}\n\n{rendering.markdown_table(lines)}" for title, lines in by_title.items()]
    if compared:
        lines = "\n".join(f"- {line}" for line in correlation_lines(compared, rendering.markdown_text))
        parts += [
            f"## Correlation of alignment and gap\n\n{lines}",
            "Spearman's ρ with a 95 % bootstrap interval and a permutation p-value; a point is one trained model.\n\n"
            "![Alignment against gap, a point for each model](scatter.png)",
        ]
    parts.append("\n".join(f"- {line}" for line in legend(cells, records, rendering.markdown_text)))
    parts += [_in_markdown(figure) for figure in figures if figure.name != "scatter"]
    signatures = "\n".join(_signatures(records, details))
    parts.append(f"## Signatures\n\nEvery score above, in the order of rows and columns.\n\n```text\n{signatures}\n```")
    return "\n\n".join(parts) + "\n"


def _in_markdown(figure: Figure) -> str:
    """A figure and its caption; of the bars, which are the answer, the picture says in words what it shows."""
    if figure.name == "report":
        return (
            "![Bars: scores of each task, and P@1 of the alignment, of each objective](report.png)\n\n"
            "Bars are means over seeds, lines ± one standard deviation, dots single seeds."
        )
    return f"![{figure.title}]({figure.name}.png)\n\n{figure.caption}"


def _signatures(records: Sequence[dict], details: Sequence[dict]) -> list[str]:
    """The signature of every score, in the order of rows and columns, then those of the detailed tables."""
    ordered = sorted(
        zip(records, aggregate.columns(records), strict=True),
        key=lambda pair: (aggregate.row_of(pair[0]).sort_key, pair[1].sort_key, pair[0]["lang"], pair[0]["seed"]),
    )
    return [signature(record) for record in [*(record for record, _ in ordered), *details]]


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
    paths = []
    for figure in made.figures:
        canvas = figures.draw(figure)
        for suffix in ("png", "svg"):
            paths.append(Path(out) / f"{figure.name}.{suffix}")
            with files.replacing(paths[-1]) as part:
                figures.save(canvas, part, suffix)
    return tuple(paths)
