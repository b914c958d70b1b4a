"""Natural language inference: files of sentence pairs in the layouts of XNLI and MultiNLI, and their binarized form.

Layout of ``<data>``, that of fairseq's task ``sentence_prediction``; a language is a subset of each split:

    <data>/input0/dict.txt, <data>/label/dict.txt     vocabulary; the classes in a fixed order
    <data>/input0/<split>_<lang>.bin, .idx            premises, ``</s>`` at the end of each
    <data>/input1/<split>_<lang>.bin, .idx            hypotheses
    <data>/label/<split>_<lang>.bin, .idx             classes, each followed by ``</s>``, as of fairseq-preprocess
    <data>/<lang>/derivation.json                     the record of a derived language

With ``--init-token 0 --separator-token 2`` the model reads ``<s> premise </s> </s> hypothesis </s>``, as RoBERTa does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines
from fairseq_align.lazy import np
from fairseq_align.text import parquet

if TYPE_CHECKING:
    from fairseq.data import Dictionary

    from fairseq_align.text.encoder import TextEncoder

LABELS = ("contradiction", "neutral", "entailment")  # the order of fairseq's roberta.large.mnli
SPELLINGS = {**{label: label for label in LABELS}, "contradictory": "contradiction"}  # the latter in XNLI-MT
NUMBERS = {"0": "entailment", "1": "neutral", "2": "contradiction"}  # in the files of Hugging Face's datasets
NO_CONSENSUS = "-"  # gold label of pairs whose annotators disagree
NUMBER_OF_NONE = "-1"  # the same in Hugging Face's datasets
# names of the columns in order of preference: those of XTREME and ours, of XNLI and MultiNLI 1.0, of XNLI-MT
COLUMNS = {
    "premise": ("premise", "sentence1"),
    "hypothesis": ("hypothesis", "sentence2", "hypo"),
    "label": ("gold_label", "label"),
}
ANNOTATORS = ("label1", "label2", "label3", "label4", "label5")  # columns of their labels
MOST_LANGS = 100  # that a message names
INPUTS = ("input0", "input1")
SEPARATORS = 2  # <s> before the premise and the second </s> between the sentences


class Pair(NamedTuple):
    """A premise, a hypothesis and one of ``LABELS``."""

    premise: str
    hypothesis: str
    label: str


def read(path: str | Path, lang: str, counts: Counter) -> Iterator[Pair]:
    """Pairs of a language in a TSV or JSONL file, plain or packed, or in a table (``text/parquet.py``).

    Labels are names, or numbers as in Hugging Face's datasets: 0 entailment, 1 neutral, 2 contradiction, -1 none.
    Rows of other languages (the files of XNLI 1.0 hold 15) and pairs without consensus are left out and counted.

    Args:
        counts: gets ``other`` and ``no_consensus``.

    Raises:
        InputError: the file cannot be read, or lacks a column, a label or the language; or a row has more or fewer
            columns than the header.

    Example:
        >>> from fairseq_align.files import writing
        >>> with writing("pairs.tsv") as file:
        ...     _ = file.write("premise\\thypothesis\\tlabel\\nIt rains.\\tIt is dry.\\tcontradiction\\n")
        >>> list(read("pairs.tsv", "en", Counter()))
        [Pair(premise='It rains.', hypothesis='It is dry.', label='contradiction')]
    """
    if parquet.is_table(path):
        rows = _table_rows(path, lang)
    else:
        rows = _json_rows(path) if ".jsonl" in Path(path).suffixes else _tsv_rows(path)
    langs, here = set(), False
    for number, row in rows:
        found = row.get("language", lang)
        if len(langs) < MOST_LANGS:
            langs.add(str(found)[:40])
        if found != lang:
            counts["other"] += 1
            continue
        here = True
        premise, hypothesis, label = (_field(path, number, row, name) for name in COLUMNS)
        if label in (NO_CONSENSUS, NUMBER_OF_NONE):
            counts["no_consensus"] += 1
            continue
        if label not in SPELLINGS and label not in NUMBERS:
            numbers = ", ".join(f"{number} ({name})" for number, name in NUMBERS.items())
            raise InputError(
                f"{path}:{number}: found label {label!r:.60}, expected one of {', '.join(LABELS)} or {NO_CONSENSUS}, "
                f"or {numbers} or {NUMBER_OF_NONE}; mend the line"
            )
        yield Pair(premise, hypothesis, SPELLINGS.get(label) or NUMBERS[label])
    if not here:
        languages = f"languages {' '.join(sorted(langs))}" if langs else "no pair"
        raise InputError(f"{path}: found {languages}, expected pairs of {lang}; check --lang and the file")


def _tsv_rows(path: str | Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows below the header, with their line numbers; quotation marks mean nothing."""
    header: list[str] = []
    for number, line in read_lines(path, longest=LONGEST_ROW):
        columns = line.split("\t")
        if not header:
            header = columns
            missing = [name for name, spellings in COLUMNS.items() if not set(spellings) & set(columns)]
            if missing:
                raise InputError(
                    f"{path}:{number}: found no column {' or '.join(COLUMNS[missing[0]])} in {line!r:.80}, expected a "
                    "header of premise, hypothesis and label, or that of XNLI or MultiNLI; add it"
                )
            continue
        if line.strip():
            yield number, _named(path, number, header, columns)


def _named(path: str | Path, number: int, header: list[str], columns: list[str]) -> dict[str, str]:
    """The columns of a row by their names, where there are as many.

    Two published files have others: MultiNLI leaves out labels of annotators at the end, and GLUE's SNLI has five of
    them between the sentences and the gold label where its header names the first alone.
    """
    before = header.index(ANNOTATORS[0]) if ANNOTATORS[0] in header else len(header)
    labels = columns[before:]
    if all(label in ("", NO_CONSENSUS, *SPELLINGS) for label in labels) and before:
        if len(columns) < len(header) and set(header[len(columns) :]) <= set(ANNOTATORS):
            if columns[before - 1] not in SPELLINGS:  # it would be a label if a column were lost before it
                return dict(zip(header, columns, strict=False))
        if header[before:] == [ANNOTATORS[0], "gold_label"] and len(labels) == len(ANNOTATORS) + 1:
            return {**dict(zip(header[:before], columns, strict=False)), "gold_label": columns[-1]}
    named = dict(zip(header, columns, strict=False))
    complete = all(any(spelling in named for spelling in spellings) for spellings in COLUMNS.values())
    if len(columns) > len(header) or (len(columns) < len(header) and complete):
        raise InputError(
            f"{path}:{number}: found {len(columns)} columns, expected {len(header)} as in the header; mend the line, "
            "and take out tabs inside sentences"
        )
    return named


def _json_rows(path: str | Path) -> Iterator[tuple[int, dict]]:
    for number, line in read_lines(path, longest=LONGEST_ROW):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{number}: found {error}, expected one JSON object a line; mend it") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}:{number}: found {line!r:.40}, expected one JSON object a line; mend it")
        yield number, row


def _table_rows(path: str | Path, lang: str) -> Iterator[tuple[int, dict]]:
    """Rows of a table; of one with all languages in a cell (``xnli``, ``all_languages``) those of ``lang``."""
    for number, row in parquet.rows(path):
        named = {}
        for name, cell in row.items():
            if isinstance(cell, dict):
                by_lang = dict(zip(cell["language"], cell["translation"], strict=False)) if "language" in cell else cell
                cell = by_lang.get(lang)
                if cell is None:
                    named["language"] = " ".join(by_lang)
            named[name] = cell
        yield number, named


def _field(path: str | Path, number: int, row: dict, name: str) -> str:
    value = next((row[spelling] for spelling in COLUMNS[name] if spelling in row), None)
    if name == "label" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise InputError(f"{path}:{number}: found no {name}, expected {' or '.join(COLUMNS[name])}; mend the line")
    return value


def shortened(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Cut two lists of tokens to ``room`` tokens together: the longer one at its end, both once they are equally long.

    Example:
        >>> shortened([1, 2, 3, 4], [5], room=3)
        ([1, 2], [5])
    """
    over = len(first) + len(second) - room
    if over <= 0:
        return first, second
    kept = min(len(first), room - min(len(second), room // 2))
    return first[:kept], second[: room - kept]


def binarize(
    pairs: Iterable[Pair],
    data: Path,
    subset: str,
    encode: TextEncoder,
    labels: Dictionary,
    max_tokens: int,
    progress: Callable[[int], object] = lambda pairs: None,
) -> Counter:
    """Write a subset into ``input0``, ``input1`` and ``label`` of ``data``.

    Args:
        max_tokens: most tokens of a pair, with the four specials around it; longer pairs are shortened, and counted.

    Returns:
        counts of ``pairs``, ``tokens`` (pieces and ``</s>``), ``unknown`` (``<unk>``) and ``shortened`` pairs.
    """
    from fairseq_align.data import binarized

    counts = Counter({name: 0 for name in ("pairs", "tokens", "unknown", "shortened")})
    eos, size = encode.dictionary.eos(), len(encode.dictionary)
    with ExitStack() as stack:
        outs = [stack.enter_context(binarized.writer(data / name / subset, size)) for name in INPUTS]
        label_out = stack.enter_context(binarized.writer(data / "label" / subset, len(labels)))
        for pair in pairs:
            whole = encode(pair.premise), encode(pair.hypothesis)
            sides = shortened(*whole, max_tokens - SEPARATORS - len(INPUTS))
            for out, side in zip(outs, sides, strict=True):
                out.add(np.array([*side, eos]), np.array([len(side) + 1]))
                counts.update(tokens=len(side) + 1, unknown=side.count(encode.dictionary.unk()))
            label_out.add(np.array([labels.index(pair.label), labels.eos()]), np.array([2]))
            counts.update(pairs=1, shortened=int(sides != whole))
            progress(1)
    encode.watch.warn(data / subset)
    return counts


def is_data(folder: Path) -> bool:
    """Whether a folder has the layout of sentence pairs."""
    return all((folder / name).is_dir() for name in (*INPUTS, "label"))


def splits(data: Path, lang: str) -> list[str]:
    """Names of the splits that a language has, sorted."""
    names = (path.name.removesuffix(".idx").partition("_") for path in (data / INPUTS[0]).glob("*.idx"))
    return sorted(split for split, _, named in names if named == lang)
