"""Rows that languages get before alignment begins, by each of the methods of ``Start``."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from fairseq_align.alignment.start import Start
from fairseq_align.data import binarized, whole_words
from fairseq_align.embeddings import mean_start, orthogonal_start
from fairseq_align.errors import InputError
from fairseq_align.lexicon import coverage, frequency
from fairseq_align.lexicon.words import Pairs, Words
from fairseq_align.text import word_vectors

logger = logging.getLogger(__name__)

BLOCK = 4096  # words of a file of vectors


def started(table: Tensor, lexicons: Sequence[Pairs], data: Path, dictionary: Dictionary, start: Start) -> Tensor:
    """The table with other rows for each language of the lexicons: those that it has for itself.

    A row belongs to the first language that claims it, see ``orthogonal_start.own_rows``; what the source language uses
    as well stays. With a file of vectors for the source language its rows are the first to change.

    Args:
        lexicons: one for each language behind the first, on the CPU.
        data: folder of binarized data, of which the training texts are read.

    Returns:
        a new tensor; rows that no language got are the same to the bit.

    Raises:
        InputError: the data lack a language, or a file of vectors is unfit.
    """
    source, *others = start.langs

    def counts(lang: str) -> Tensor:
        return torch.from_numpy(frequency.unigrams(binarized.read(data / lang / "train").tokens, len(table)))

    of_source, free = counts(source), torch.ones(len(table), dtype=torch.bool)
    own = []
    for lang, pairs in zip(others, lexicons, strict=True):
        rows = orthogonal_start.own_rows(counts(lang), of_source, pairs)
        own.append(rows[free[rows]].to(table.device))
        free[rows] = False
    if source in start.vectors:
        rows = ((of_source > 0) & free).nonzero().flatten().to(table.device)
        words = Words.of(whole_words.count(data / source / "train", dictionary)).to(table.device)
        itself = Pairs(words, words, torch.ones(len(words), device=table.device))
        table = of_vectors(table, itself, rows, start.vectors[source], data / source / "train", dictionary)
    after = table
    for lang, lexicon, rows in zip(others, lexicons, own, strict=True):
        pairs = lexicon.to(table.device)
        if start.method == "orthogonal":
            logger.info("%s: %d rows of its own are turned to those of %s", lang, len(rows), source)
            made = orthogonal_start.mapped(table, pairs, rows)
        elif start.method == "lexicon":
            made = mean_start.of_translations(table, pairs, rows)
        elif lang in start.vectors:
            made = of_vectors(table, pairs, rows, start.vectors[lang], data / lang / "train", dictionary)
        else:
            continue
        after = after.index_copy(0, rows, made[rows])
    return after


def of_vectors(table: Tensor, pairs: Pairs, rows: Tensor, path: Path, text: Path, dictionary: Dictionary) -> Tensor:
    """A table whose rows of a language come from a file of word vectors, see ``mean_start.MappedVectors``.

    Words are those of the text, spelt as it has them, or else in lower case; their weights are their frequencies. The
    file is read twice, and a block of its vectors is in memory.

    Args:
        pairs: words as the table has them, and words of the language, from which the map is learnt.
        rows: of the language, int64, shape (R,).
        text: prefix of the training text of the language.

    Raises:
        InputError: the file is unfit, or has no word of the text, or none of the pairs.
    """
    spelt: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    counts = whole_words.count(text, dictionary)
    for word in counts:
        spelt[_spelling(word, dictionary)].append(word)
    learnt: dict[str, list[int]] = defaultdict(list)
    for row, word in enumerate(pairs.target.tuples()):
        learnt[_spelling(word, dictionary)].append(row)
    mapped, used, known = None, Counter(), _in_file(path, {*spelt, *learnt})
    for names, vectors in _blocks(path, known):
        vectors = vectors.to(table.device)
        mapped = mapped or mean_start.MappedVectors(table, rows, vectors.shape[1])
        words = [(number, word) for number, own in enumerate(names) for name in own for word in spelt.get(name, ())]
        if words:
            numbers = torch.tensor([number for number, _ in words], device=table.device)
            weights = torch.tensor([counts[word] for _, word in words], device=table.device)
            mapped.means.add(Words.of(word for _, word in words).to(table.device), vectors[numbers], weights)
        learn = [(number, row) for number, own in enumerate(names) for name in own for row in learnt.get(name, ())]
        if learn:
            numbers, chosen = torch.tensor(learn, device=table.device).T
            mapped.learn(vectors[numbers], pairs.source.take(chosen))
        used.update(words=len(words), pairs=len(learn))
    if not used["words"] or not used["pairs"]:
        raise InputError(
            f"{path}: found vectors of {used['words']:,} words of {text} and of {used['pairs']:,} pairs, expected some "
            "of both; name vectors of that language"
        )
    logger.info(
        "%s: vectors of %d of %d words of %s, %d of %d pairs", path, used["words"], len(counts), text, used["pairs"],
        len(pairs),
    )  # fmt: skip
    return mapped.result()


def _spelling(word: Sequence[int], dictionary: Dictionary) -> str:
    return coverage.spelling([dictionary[piece] for piece in word])


def _in_file(path: Path, names: set[str]) -> Mapping[str, list[str]]:
    """The words of a file that are needed, each with the names that it stands for: its own, or those in capitals."""
    needed = names | {name.lower() for name in names}
    present = {word for word, _ in word_vectors.read(path, lambda word: False) if word in needed}
    known = defaultdict(list)
    for name in sorted(names):
        for word in (name, name.lower()):
            if word in present:
                known[word].append(name)
                break
    return known


def _blocks(path: Path, known: Mapping[str, list[str]]) -> Iterator[tuple[list[list[str]], Tensor]]:
    """The names that words of a file stand for, and their vectors; of a word that comes again the first counts."""
    left, names, vectors = dict(known), [], []
    for word, vector in word_vectors.read(path, left.__contains__):
        if vector is not None:
            names.append(left.pop(word))
            vectors.append(vector)
        if len(names) == BLOCK:
            yield names, torch.from_numpy(np.stack(vectors))
            names, vectors = [], []
    if names:
        yield names, torch.from_numpy(np.stack(vectors))
