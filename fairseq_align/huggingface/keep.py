"""A part of the vocabulary of a pre-trained model: the rows that some texts need, and the way back to all rows.

XLM-R has 250,002 rows, most of them of languages that a study does not have. The symbols of a row name it: dict.txt of
the part says which rows of the whole model were kept.
"""

from __future__ import annotations

import json
import logging
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.huggingface import tokenizer
from fairseq_align.huggingface.architecture import OF_VOCABULARY, Model, with_rows
from fairseq_align.huggingface.pretrained import Pretrained, processor_of
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.normalise import normalise

if TYPE_CHECKING:
    from fairseq.data import Dictionary

logger = logging.getLogger(__name__)

RARE = 1e-3


def words(path: Path) -> Iterator[str]:
    """Words of a file: the second column of a treebank (``.conllu``), texts of ``.jsonl``, otherwise what is between
    white space.

    Raises:
        InputError: the file is missing, damaged or not UTF-8.
    """
    conllu, jsonl = (suffix in path.suffixes for suffix in (".conllu", ".jsonl"))
    for number, line in read_lines(path):
        if conllu:
            line = (line.split("\t") + [""])[1]
        elif jsonl:
            line = " ".join(_texts(f"{path}:{number}", line))
        yield from normalise(line).split()


def _texts(where: str, line: str) -> list[str]:
    """Texts of a line of JSON."""
    try:
        content = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: found {error}, expected a JSON object a line; check the file") from error
    return [text for text in content.values() if isinstance(text, str)] if isinstance(content, dict) else []


def keep(old: Pretrained, paths: Iterable[Path]) -> Pretrained:
    """The model with the pieces that the words of some files are written in, as they are and in lower case.

    These words are written as before: the best segmentation of a word is still there, and no other one is new. So that
    other words can be written, too, single characters stay, but for letters of scripts that make up less than ``RARE``
    of the letters and do not occur themselves. The piece with the lowest score, which sets what an unknown character
    costs, stays.

    Args:
        paths: texts, tables, treebanks, dictionaries, plain or .gz, as they will be encoded.

    Raises:
        InputError: a file cannot be read, the vocabulary has derived pieces, or SentencePiece's model is no unigram
            model.
    """
    if vocabulary.derived_size(old.dictionary) is not None:
        raise InputError("--keep-vocab: found a vocabulary with derived pieces, expected none; keep before deriving")
    proto = tokenizer.read_proto(old.pieces, "the SentencePiece model")
    processor, used, seen = processor_of(old.pieces), set(), set()
    for path in paths:
        for word in words(path):
            for form in (word, word.lower()):
                if form not in seen:
                    seen.add(form)
                    used.update(subword.encode_word(processor, form))
    pieces = proto.pieces[3:]
    is_needed = _needed_characters(seen)
    used.update(piece.piece for piece in pieces if is_needed(piece.piece.removeprefix(vocabulary.WORD_START)))
    used.add(min(pieces, key=lambda piece: piece.score).piece)
    kept = [piece for piece in pieces if piece.piece in used]
    all_pieces = {piece.piece for piece in pieces}
    del proto.pieces[3:]
    proto.pieces.extend(kept)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    rows = [row for row, symbol in enumerate(old.dictionary.symbols) if symbol in used or symbol not in all_pieces]
    part = vocabulary.of_symbols([old.dictionary.symbols[row] for row in rows[old.dictionary.nspecial :]])
    rows += range(len(old.dictionary), old.model.architecture.vocabulary)  # <mask>, where dict.txt leaves it out
    logger.info(
        "kept %s of %s rows, which %s words and single characters need",
        f"{len(rows):,}", f"{old.model.architecture.vocabulary:,}", f"{len(seen):,}",
    )  # fmt: skip
    return Pretrained(with_rows(old.model, rows), part, proto.SerializeToString())


def script(char: str) -> str:
    """Script of a letter or mark, by its name in Unicode; empty: it is neither.

    Example:
        >>> [script(char) for char in "a\u0939\u4e2d7"]
        ['LATIN', 'DEVANAGARI', 'CJK', '']
    """
    return unicodedata.name(char, "").partition(" ")[0] if unicodedata.category(char)[0] in "LM" else ""


def _needed_characters(seen: Iterable[str]) -> Callable[[str], bool]:
    """Whether a text is a single character, or none, that stays for words beside those that were seen."""
    counts = Counter(char for word in seen for char in word)
    scripts: Counter[str] = Counter()
    for char, count in counts.items():
        scripts[script(char)] += count
    del scripts[""]
    usual = {"", *(name for name, count in scripts.items() if count >= RARE * scripts.total())}
    return lambda text: len(text) <= 1 and (text in counts or not text or script(text) in usual)


def restored(model: Model, symbols: Dictionary, full: Pretrained, where: str) -> Pretrained:
    """A model with the rows that ``keep`` left out, taken from the whole model; the others are its own.

    Args:
        symbols: its dict.txt.
        full: the model that it was imported from.
        where: name of that model, for messages.

    Raises:
        InputError: a symbol is not in the whole model, or the two differ in size.
    """
    own, whole = ([*part.symbols, vocabulary.MASK] for part in (symbols, full.dictionary))
    place = {symbol: row for row, symbol in enumerate(dict.fromkeys(whole))}
    missing = next((symbol for symbol in own if symbol not in place), None)
    if missing is not None:
        raise InputError(
            f"{where}: found no symbol {missing!r}, expected all of the checkpoint; name the model that was imported "
            "with --keep-vocab"
        )
    rows = [place[symbol] for symbol in dict.fromkeys(own)]
    tensors = dict(model.tensors)
    for name in tensors.keys() & set(OF_VOCABULARY):
        source = full.model.tensors.get(name)
        if source is None or source.shape[1:] != tensors[name].shape[1:]:
            raise InputError(
                f"{where}: found no {name} like that of the checkpoint, expected the model it was imported from"
            )
        tensors[name] = source.to(tensors[name].dtype).clone()
        tensors[name][rows] = model.tensors[name]
    size = model.architecture
    return Pretrained(Model(replace(size, vocabulary=len(place)), tensors), full.dictionary, full.pieces)
