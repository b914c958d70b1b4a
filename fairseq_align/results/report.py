"""Tables and figures from results: what alignment buys in zero-shot transfer, beside the paper's figures.

results -> cells.py (mean and spread over seeds) -> ``tables`` -> report.md, report.tex, report.csv, standard output
        -> comparison.py (B_S, B_Z, gap, the paper's; correlation with alignment);  figures.py draws
"""

import argparse
import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fairseq_align.errors import InputError
from fairseq_align.results import curves
from fairseq_align.results import records as results
from fairseq_align.results.aggregate import (
    GROUPS,
    MISSING,
    Cell,
    Cells,
    Column,
    Place,
    Row,
    aggregate,
    columns,
    columns_of,
    count,
    in_detail,
    row_of,
    rows_of,
    scores_of,
    show,
    shown,
)  # fmt: skip
from fairseq_align.results.comparison import comparison_table, comparisons, correlation_lines

NAMES = ("task", "derivation", "objective", "lang", "vectors", "asked", "pairs", "words")  # columns without numbers
LEGEND = {
    "P@1": "share of a dictionary's source words whose nearest target word by cosine is a translation, in %; "
    "candidates are the whole target vocabulary",
    "CSLS": "the same with cross-domain similarity local scaling of 10 neighbours in place of the cosine",
    "cosine": "mean cosine of the word embeddings of dictionary pairs, in [-1, 1]",
    "seen": "pairs in the lexicon of training",
    "held-out": "pairs kept from training",
    "XNLI": "accuracy of natural language inference, in %",
    "NER": "strict F1 of named entities, in %",
    "POS": "accuracy of part-of-speech tags, in %",
    "source": "fine-tuned and scored on the source language",
    "supervised": "fine-tuned and scored on the target language, the paper's B_S",
    "zero-shot": "fine-tuned on the source language, scored on the target language, the paper's B_Z",
    "gap": "zero-shot minus supervised (B_Z − B_S) of the same seed, in points",
    "reverse": "fine-tuned on the target language, scored on the source language",
    "frozen": "fine-tuned with the word embeddings as pre-trained; other columns: all weights tuned",
    "MLM loss": "loss of masked tokens, in nats a token",
    "unigram entropy": "loss of a model that knows the frequencies of tokens and no context, in nats a token",
    "entropy − loss": "what context gives the model, in nats a token",
}


# cells -> tables


def tables(cells: Cells, details: Sequence[dict] = ()) -> dict[str, list[list[str]]]:
    """Tables by title, each a list of lines of shown cells, the header first; only those with data.

    Args:
        details: records of the detailed table, see ``in_detail``.
    """
    means = {place: cell for place, cell in cells.items() if place.lang is None}
    by_title = {
        group: {place: cell for place, cell in means.items() if place.column.group == group} for group in GROUPS
    }
    by_title["Each language"] = {place: cell for place, cell in cells.items() if place.lang is not None}
    several_derivations = len({row.derivation for row in rows_of(cells)}) > 1
    found = {title: table(part, several_derivations) for title, part in by_title.items() if part}
    found |= {"Beside the paper": comparison_table(comparisons(cells))}
    found |= {title: detail_table(details, metrics) for title, metrics in DETAILS.items()}
    return {title: lines for title, lines in found.items() if len(lines) > 1}


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


def _show_n(cells: Cells, column: Column) -> str:
    """Items scored by a seed: one number, or the smallest and the largest over rows and seeds."""
    n = [n for place, cell in cells.items() if place.column == column for n in cell.n]
    return f"{min(n):,}" if min(n) == max(n) else f"{min(n):,}–{max(n):,}"


# alignment in detail

DETAILS = {
    "Alignment in detail": {
        "p@1": "P@1", "p@5": "P@5", "p@10": "P@10", "mrr": "MRR", "csls_p@1": "CSLS P@1", "csls_p@5": "CSLS P@5",
        "csls_p@10": "CSLS P@10", "csls_mrr": "CSLS MRR", "cos": "cosine",
    },
    "Likeness in shape": {"eigenvectors": "eigenvectors", "gromov_hausdorff": "Gromov-Hausdorff"},
}  # fmt: skip


def _detail(record: dict) -> tuple[str, ...]:
    """What was compared, as the first cells of a line: vectors, asked words, pairs, band."""
    vectors = "embeddings" if record.get("layer") is None else f"layer {record['layer']}"
    mapped = f", {record['mapping']}" if record.get("mapping") else ""
    asked = "target" if record.get("direction") else "source"
    pairs = {"heldout": "held-out"}.get(record["split"], record["split"])
    return record["lang"], vectors + mapped, asked, pairs, record.get("band") or "all"


def detail_table(records: Iterable[dict], metrics: dict[str, str]) -> list[list[str]]:
    """A line for all that was compared, in the order of records, with n, ties and OOV as the range over seeds."""
    grouped: dict[tuple, dict[str, dict[int, dict]]] = defaultdict(lambda: defaultdict(dict))
    for record in results.latest(records):
        if record["task"] == "alignment" and record["metric"] in metrics:
            grouped[row_of(record), *_detail(record)][record["metric"]][record["seed"]] = record
    lines = [["derivation", "objective", "lexicon", "lang", "vectors", "asked", "pairs", "words", "seeds"]
             + [*metrics.values(), "n", "ties", "OOV"]]  # fmt: skip
    for (row, *names), by_metric in sorted(grouped.items(), key=lambda item: item[0][0].sort_key):
        records = [record for by_seed in by_metric.values() for record in by_seed.values()]
        seeds = max(map(len, by_metric.values()))
        cells = [_detail_cell(by_metric[metric], seeds) if metric in by_metric else MISSING for metric in metrics]
        retrieved = [record for record in records if record["metric"] != "cos"] or records
        cells += [_range(retrieved, name) for name in ("n", "ties", "oov")]
        lines.append([row.derivation or "none", row.name, row.lexicon, *names, str(seeds), *cells])
    return lines


def _detail_cell(by_seed: dict[int, dict], seeds: int) -> str:
    order = sorted(by_seed)
    cell = Cell(tuple(order), tuple(by_seed[seed]["value"] for seed in order), tuple(by_seed[s]["n"] for s in order))
    return show(cell, results.metric_of(by_seed[order[0]]).unit, seeds)


def _range(records: Sequence[dict], name: str) -> str:
    """One number, or the smallest and the largest."""
    values = [record[name] for record in records if record.get(name) is not None]
    if not values:
        return MISSING
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,}–{max(values):,}"


# tables -> text


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are padded to read well raw; names to the left, numbers to the right."""
    left = {i for i, title in enumerate(lines[0]) if title in NAMES}
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


LATEX = str.maketrans(
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "±": r"$\pm$", "−": "$-$", "—": "--", "–": "--"}
    | {special: "\\" + special for special in "_%&#${}"}
)


def latex_table(title: str, lines: Sequence[Sequence[str]]) -> str:
    """A table for LaTeX with the package booktabs."""
    columns = "".join("l" if name in NAMES else "r" for name in lines[0])
    header, *body = (" & ".join(map(_latex, line)) + r" \\" for line in lines)
    rows = [r"\begin{table}", r"\centering", rf"\caption{{{_latex(title)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    rows += [r"\toprule", header, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(rows)


def _latex(text: str) -> str:
    """A shown cell in LaTeX's characters."""
    return text.translate(LATEX)


def to_latex(cells: Cells, details: Sequence[dict] = ()) -> str:
    """The whole report.tex, to be read by ``\\input``."""
    parts = [latex_table(title, lines) for title, lines in tables(cells, details).items()]
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(parts) + "\n"


def to_markdown(cells: Cells, records: Sequence[dict], details: Sequence[dict] = (), with_curves: bool = False) -> str:
    """The whole report.md."""
    found = comparisons(cells)
    parts = ["# Alignment and zero-shot transfer"]
    parts += [f"## {title}\n\n{markdown_table(lines)}" for title, lines in tables(cells, details).items()]
    if found:
        parts.append(
            "## Correlation of alignment and gap\n\n" + "\n".join(f"- {line}" for line in correlation_lines(found))
        )
        parts.append(
            "Spearman's ρ with a 95 % bootstrap interval and a permutation p-value; a point is one trained model.\n\n"
            "![Alignment against gap, a point for each model](scatter.png)"
        )
    parts.append("\n".join(f"- {line}" for line in legend(cells, records)))
    parts.append(
        "![Bars: scores of each task, and P@1 of the alignment, of each objective](report.png)\n\n"
        "Bars are means over seeds, lines ± one standard deviation, dots single seeds."
    )
    if with_curves:
        parts.append("![Learning curves of masked-LM loss and cosine of the pairs](curves.png)")
    ordered = sorted(
        zip(records, columns(records), strict=True),
        key=lambda pair: (row_of(pair[0]).sort_key, pair[1].sort_key, pair[0]["lang"], pair[0]["seed"]),
    )
    signatures = "\n".join(results.signature(record) for record in [*(record for record, _ in ordered), *details])
    parts.append(f"## Signatures\n\nEvery score above, in the order of rows and columns.\n\n```text\n{signatures}\n```")
    return "\n\n".join(parts) + "\n"


def to_csv(cells: Cells) -> str:
    """The whole report.csv: one line a cell, values unrounded fractions or nats, empty where there is none.

    ``lang`` is empty for the mean over languages, ``n`` the items of each seed, in the order of ``seeds``.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*Row._fields, "score", "split", "lang", "mean", "sd", "seeds", "n"])
    for (row, lang, column), cell in cells.items():
        writer.writerow([
            *row, column.kind, column.split, lang, cell.mean, cell.spread,
            " ".join(map(str, cell.seeds)), " ".join(map(str, cell.n)),
        ])  # fmt: skip
    return out.getvalue()


# files


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` when the block ends without an error and is removed otherwise."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_texts(texts: dict[str, str], folder: Path) -> None:
    """Write files by name; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with replaced(folder / name) as part:
            part.write_text(text, encoding="utf-8", newline="\n")


# command line


def add_parser(subparsers) -> None:
    """Add the command ``report`` to ``fairseq-align``."""
    parser = subparsers.add_parser("report", help="tables and figures from results", description=__doc__.split("\n")[0])
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS.jsonl", help="results files, read in order")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for report.{md,csv,tex,png,svg}, scatter.{png,svg} and, with --logs, curves.{png,svg}",
    )
    parser.add_argument(
        "--logs",
        nargs="+",
        type=Path,
        default=[],
        metavar="TRAIN.log",
        help="logs of fairseq-train, --log-format simple or json, for learning curves; those that differ only "
        "in a number at the end of a folder's name, the seed, share a colour; not given: no curves",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the report and print its tables.

    Raises:
        InputError: a results file is missing, broken or holds no score, or matplotlib is not installed.
    """
    records = shown(results.read(*args.results))
    if not records:
        names = ", ".join(map(str, args.results))
        raise InputError(f"{names}: found no scores, expected at least one line; run fairseq-align evaluate first")
    logged = dict(zip(curves.names(args.logs), map(curves.read, args.logs), strict=True)) if args.logs else {}
    counted = count([record for record in records if not in_detail(record)])
    details = results.latest(record for record in records if in_detail(record))
    compared = [record for record in records if record["task"] == "alignment"] if details else []
    cells = aggregate(scores_of(counted))
    texts = {
        "report.md": to_markdown(cells, counted, compared, bool(logged)),
        "report.csv": to_csv(cells),
        "report.tex": to_latex(cells, compared),
    }
    write_texts(texts, args.out)
    print("\n\n".join(f"{title}\n{markdown_table(lines)}" for title, lines in tables(cells, compared).items()))
    draw(cells, logged, args.out)  # last: the tables are there even without matplotlib
    return 0


def draw(cells: Cells, logged: dict[str, dict[str, curves.Curve]], folder: Path) -> None:
    """Write every figure there is data for, as PNG and SVG.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from fairseq_align.results import figures
    except ImportError as error:
        raise InputError(
            f"{folder / 'report.png'}: found no matplotlib, expected it to draw the figures; "
            "pip install fairseq_align[plot]"
        ) from error
    found = comparisons(cells)
    drawn = {"report": figures.bars(cells)}
    if found:
        drawn["scatter"] = figures.scatter(found)
    if logged:
        drawn["curves"] = figures.learning_curves(logged)
    for name, figure in drawn.items():
        for suffix in ("png", "svg"):
            with replaced(folder / f"{name}.{suffix}") as part:
                figures.save(figure, part, suffix)
