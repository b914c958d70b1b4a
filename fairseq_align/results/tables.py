"""Tables of a report: lines of shown cells, the header first, from cells and from records of the detailed tables."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from fairseq_align.results import records as results
from fairseq_align.results.aggregate import (
    MISSING,
    Cell,
    CellKey,
    Cells,
    Column,
    columns_of,
    row_of,
    rows_of,
    scores_of,
    show,
)
from fairseq_align.results.comparison import Comparison, comparison_table
from fairseq_align.results.metrics import DETAIL_TABLES, PAIR_WORDS, TABLES, TASKS, glossary, metric_of

Table = list[list[str]]
NAMES = ("task", "derivation", "objective", "lang", "vectors", "asked", "pairs", "words")  # columns without numbers


def tables(cells: Cells, compared: Sequence[Comparison], details: Sequence[dict] = ()) -> dict[str, Table]:
    """Tables by title; only those with data.

    Args:
        compared: ``comparison.comparisons`` of the cells.
        details: records of the detailed tables, see ``aggregate.in_detail``.
    """
    means = {key: cell for key, cell in cells.items() if key.lang is None}
    by_title = {title: {key: cell for key, cell in means.items() if key.column.table == title} for title in TABLES}
    by_title["Each language"] = {key: cell for key, cell in cells.items() if key.lang is not None}
    several_derivations = len({row.derivation for row in rows_of(cells)}) > 1
    made = {title: table(part, several_derivations) for title, part in by_title.items() if part}
    made["Beside the paper"] = comparison_table(compared)
    made |= {title: detail_table(details, title) for title in DETAIL_TABLES}
    return {title: lines for title, lines in made.items() if len(lines) > 1}


def table(cells: Cells, with_derivation: bool) -> Table:
    """A header, a line for each row and language of the cells, and n.

    ``seeds`` is the largest number of seeds in the line; a cell of fewer says how many in parentheses.
    """
    columns = columns_of(cells)
    with_lang = any(key.lang is not None for key in cells)

    def line(derivation: str, objective: str, lexicon: str, lang: str, seeds: str, shown: Iterable[str]) -> list[str]:
        first = [derivation] if with_derivation else []
        return [*first, objective, lexicon, *([lang] if with_lang else []), seeds, *shown]

    lines = [line("derivation", "objective", "lexicon", "lang", "seeds", (column.title for column in columns))]
    for row, lang in dict.fromkeys((key.row, key.lang) for key in cells):
        cells_of_line = [cells.get(CellKey(row, lang, column)) for column in columns]
        seeds = max(len(cell.seeds) for cell in cells_of_line if cell)
        shown = (show(cell, column.unit, seeds) for cell, column in zip(cells_of_line, columns, strict=True))
        lines.append(line(row.derivation or "none", row.name, row.lexicon, lang or "", str(seeds), shown))
    n = (_range([n for key, cell in cells.items() if key.column == column for n in cell.n]) for column in columns)
    lines.append(line("", "n", "", "", "", n))
    return lines


def _range(values: Sequence[int]) -> str:
    """One number, or the smallest and the largest."""
    if not values:
        return MISSING
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,}–{max(values):,}"


def detail_table(records: Iterable[dict], title: str) -> Table:
    """A line for all that was compared, in the order of records, with n, ties and OOV as the range over seeds.

    Args:
        title: one of ``metrics.DETAIL_TABLES``, which says what metrics the table has.
    """
    records = results.latest(records)
    scored = {record["metric"] for record in records}
    labels = {name: metric.label for task in TASKS.values() for name, metric in task.metrics.items()
              if metric.details == title and (name in scored or not metric.baseline)}  # fmt: skip
    grouped: dict[tuple, dict[str, dict[int, dict]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        if metric_of(record).details == title:
            grouped[row_of(record), *_compared(record)][record["metric"]][record["seed"]] = record
    lines = [["derivation", "objective", "lexicon", "lang", "vectors", "asked", "pairs", "words", "seeds"]
             + [*labels.values(), "n", "ties", "OOV"]]  # fmt: skip
    for (row, *names), by_metric in sorted(grouped.items(), key=lambda item: item[0][0].sort_key):
        records = [record for by_seed in by_metric.values() for record in by_seed.values()]
        seeds = max(map(len, by_metric.values()))
        cells = [_detail_cell(by_metric[metric], seeds) if metric in by_metric else MISSING for metric in labels]
        retrieved = [record for record in records if record["metric"] != "cos"] or records
        for name in ("n", "ties", "oov"):
            cells.append(_range([record[name] for record in retrieved if record.get(name) is not None]))
        lines.append([row.derivation or "none", row.name, row.lexicon, *names, str(seeds), *cells])
    return lines


def _compared(record: dict) -> tuple[str, ...]:
    """What was compared, as the first cells of a line: language, vectors, language of the queries, pairs, band."""
    vectors = "embeddings" if record.get("layer") is None else f"layer {record['layer']}"
    how = "".join(f", {record[name]}" for name in ("mapping", "similarity", "pairing") if record.get(name))
    queries = "target" if record.get("direction") else "source"
    pairs, _ = PAIR_WORDS.get(record["split"], (record["split"], ""))
    return record["lang"], vectors + how, queries, pairs, record.get("band") or "all"


def _detail_cell(by_seed: dict[int, dict], seeds: int) -> str:
    order = sorted(by_seed)
    cell = Cell(tuple(order), tuple(by_seed[seed]["value"] for seed in order), tuple(by_seed[s]["n"] for s in order))
    return show(cell, metric_of(by_seed[order[0]]).unit, seeds)


def legend(cells: Cells, records: Sequence[dict], shown: Callable[[str], str] = str) -> list[str]:
    """What the numbers mean, one sentence a line, only for the columns that the report has.

    Args:
        shown: what becomes of the names of languages.
    """
    kinds = {column.kind for column in columns_of(cells)}
    lines = [f"{word}: {meaning}." for word, meaning in glossary().items() if any(word in kind for kind in kinds)]
    langs: dict[Column, set[str]] = defaultdict(set)
    for score in scores_of(records):
        langs[score.column].add(score.lang)
    titles: dict[str, list[str]] = defaultdict(list)
    for column in sorted(langs, key=lambda column: column.sort_key):
        titles[", ".join(sorted(langs[column]))].append(column.title)
    lines += [f"Scored on {shown(names)}: {'; '.join(scored)}." for names, scored in titles.items()]
    return [
        f"Mean over seeds ± sample standard deviation; one seed has no spread. {MISSING}: not scored.",
        "n: items scored for one seed, over all its languages.",
        *lines,
    ]
