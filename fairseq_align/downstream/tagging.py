"""Treebanks: CoNLL-U files read with checks and line numbers; tagged sentences binarized, with a label a word.

Layout of a tagging corpus ``<data>``:

    <data>/dict.txt, <data>/label/dict.txt            vocabulary; labels in a fixed order, the same for every language
    <data>/<lang>/<split>.bin, .idx                   token ids, ``</s>`` at the end of each sentence
    <data>/<lang>/<split>.label.bin, .idx             as many label ids: the word's on its first subword, else ``<pad>``

    \u2581the  \u2581ch  ased  </s>
    DET   VERB  <pad> <pad>
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import conllu
import numpy as np
from conllu.exceptions import ParseException
from conllu.parser import DEFAULT_FIELDS, parse_comment_line, parse_line
from fairseq.data import Dictionary
from sentencepiece import SentencePieceProcessor

from fairseq_align.data import binarized
from fairseq_align.downstream import iob2
from fairseq_align.downstream import labels as tags
from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.encoder import WordEncoder
from fairseq_align.text.normalise import normalise

# https://universaldependencies.org/u/pos/, alphabetical
UPOS = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
ENTITY_TYPES = ("LOC", "ORG", "PER")  # of PAN-X
TASKS = ("pos", "ner")

_NUMBER = "[1-9][0-9]{0,8}"  # Python reads no number of thousands of digits
_ID = re.compile(rf"(?P<word>{_NUMBER})|(?P<first>{_NUMBER})-(?P<last>{_NUMBER})|(?P<before>0|{_NUMBER})\.{_NUMBER}")


class Sentence(conllu.TokenList):
    """A sentence that knows its place: token ``i`` stands in line ``lines[i]`` (from 1) of the file ``path``."""

    path: str
    lines: list[int]


def read(path: str | Path) -> Iterator[Sentence]:
    """Sentences of a CoNLL-U file, plain or gzipped, with multiword tokens (id ``3-4``) and empty nodes (``3.1``).

    Raises:
        InputError: the file cannot be read, or a line has not ten columns, an empty FORM, an id out of order or a
            column that does not parse.
    """
    block = []
    for number, line in read_lines(path):
        if line.strip():
            block.append((number, line))
        elif block:
            yield from _sentence(path, block)
            block = []
    if block:
        yield from _sentence(path, block)


def _sentence(path: str | Path, block: list[tuple[int, str]]) -> Iterator[Sentence]:
    """The sentence of a block of numbered lines; none if the lines are comments alone."""
    sentence = Sentence(default_fields=DEFAULT_FIELDS)
    sentence.path, sentence.lines = str(path), []
    words = 0
    for number, line in block:
        if line.startswith("#"):
            sentence.metadata.update(parse_comment_line(line))
            continue
        token = _token(f"{path}:{number}", line, words)
        words += isinstance(token["id"], int)
        sentence.append(token)
        sentence.lines.append(number)
    if sentence:
        yield sentence


def _token(place: str, line: str, words: int) -> conllu.Token:
    """One line of a sentence, at ``place`` (path:line), after ``words`` words."""
    columns = line.split("\t")
    if len(columns) != len(DEFAULT_FIELDS):
        raise InputError(
            f"{place}: found {len(columns)} columns, expected {len(DEFAULT_FIELDS)} separated by tabs; mend the line"
        )
    if not columns[1].strip(" "):
        raise InputError(f"{place}: found an empty FORM, expected a word; mend the line, _ stands for nothing")
    _check_id(place, columns[0], words)
    try:
        # conllu takes two spaces for the end of a column
        return parse_line(re.sub(" {2,}", " ", line), DEFAULT_FIELDS)
    except (ParseException, ValueError) as error:  # the latter: a head of thousands of digits
        raise InputError(f"{place}: found a column that does not parse ({error}), expected CoNLL-U; mend it") from error


def _check_id(place: str, found: str, words: int) -> None:
    """An id must continue a sentence of ``words`` words: after two of them 3 or 3-4, or 2.1 behind the second."""
    match = _ID.fullmatch(found)
    if match is None:
        raise InputError(
            f"{place}: found id {found!r}, expected a number (3), a range (3-4) or an empty node (3.1); mend the line"
        )
    if match["before"] is not None:
        if int(match["before"]) != words:
            raise InputError(f"{place}: found empty node {found}, expected {words}.1 or later; mend the order")
    elif int(match["word"] or match["first"]) != words + 1:
        raise InputError(
            f"{place}: found id {found}, expected {words + 1}; number words from 1, an empty line ends a sentence"
        )
    elif match["last"] is not None and int(match["last"]) <= words + 1:
        raise InputError(f"{place}: found range {found}, expected first-last with last beyond first; mend the id")


def words_and_tags(sentence: Sentence, labels: Iterable[str] = UPOS) -> tuple[list[str], list[str]]:
    """Syntactic words (FORM, normalised) of a sentence and their UPOS tags.

    Multiword tokens and empty nodes are left out: the words that a multiword token stands for follow it.

    Raises:
        InputError: a tag is not among ``labels``.
    """
    words, found = [], []
    for token, number in zip(sentence, sentence.lines, strict=True):
        if not isinstance(token["id"], int):
            continue
        if token["upos"] not in labels:
            raise InputError(
                f"{sentence.path}:{number}: found UPOS {token['upos']!r} of {token['form']!r}, "
                f"expected one of {' '.join(labels)}; tag the word, or leave the sentence out"
            )
        words.append(normalise(token["form"]))
        found.append(token["upos"])
    return words, found


def tagged_sentences(
    path: str | Path, task: str, types: Iterable[str] = ENTITY_TYPES, scheme: str = "iob2"
) -> Iterator[tuple[list[str], list[str]]]:
    """Words and tags of each sentence: ``pos`` of a CoNLL-U file, ``ner`` of an IOB2 file.

    Args:
        types, scheme: as ``iob2.read``; not used for ``pos``.
    """
    return iob2.read(path, types, scheme) if task == "ner" else map(words_and_tags, read(path))


def label_dictionary(task: str, types: Iterable[str] = ENTITY_TYPES) -> Dictionary:
    """Labels of a task in their fixed order, each with the count 1; the first label has id 4."""
    return vocabulary.of_symbols(tags.iob2_labels(list(types)) if task == "ner" else UPOS)


def encode(
    words: list[str],
    word_tags: list[str],
    encoder: WordEncoder,
    dictionary: Dictionary,
    labels: Dictionary,
) -> tuple[list[int], list[int]]:
    """Token ids of a sentence and, at the same positions, label ids; both end with ``</s>`` and its ``<pad>``.

    A word that yields no piece becomes ``<unk>``, so that every word keeps its label.
    """
    tokens, marks = [], []
    for found, tag in zip(encoder(words), word_tags, strict=True):
        ids = [dictionary.index(piece) for piece in found or [subword.UNKNOWN]]
        tokens += ids
        marks += [labels.index(tag)] + [labels.pad()] * (len(ids) - 1)
    return tokens + [dictionary.eos()], marks + [labels.pad()]


def binarize(
    sentences: Iterable[tuple[list[str], list[str]]],
    prefix: str | Path,
    processor: SentencePieceProcessor,
    dictionary: Dictionary,
    labels: Dictionary,
    progress: Callable[[int], object] = lambda sentences: None,
) -> Counter:
    """Write ``<prefix>`` and ``<prefix>.label``, items parallel and of equal sizes.

    Args:
        sentences: words and tags, equally many and at least one, as ``tagged_sentences`` gives them.

    Returns:
        counts of ``sentences``, ``words``, ``tokens`` (subwords and ``</s>``) and ``unknown`` (how many are ``<unk>``).
    """
    encoder = WordEncoder(processor)
    counts = Counter({name: 0 for name in ("sentences", "words", "tokens", "unknown")})
    with (
        binarized.writer(prefix, len(dictionary)) as token_file,
        binarized.writer(f"{prefix}.label", len(labels)) as label_file,
    ):
        for words, word_tags in sentences:
            tokens, marks = encode(words, word_tags, encoder, dictionary, labels)
            token_file.add(np.array(tokens), np.array([len(tokens)]))
            label_file.add(np.array(marks), np.array([len(marks)]))
            counts.update(sentences=1, words=len(words), tokens=len(tokens), unknown=tokens.count(dictionary.unk()))
            progress(1)
    return counts
