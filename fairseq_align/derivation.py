"""Derived languages: transforms of binarized sentences, and the record that repeats them on other data.

A derived language is a directory of binarized data made once from another one. A transform maps a *chunk*, whole
sentences laid one after the other, to the same sentences in another script or order:

    the transliterated inverse of    _the _small _cat s _sleep . </s>
    is                               _sleep~ _cat~ s~ _small~ _the~ .~ </s>

Sizes never change, so labels that stand parallel to the tokens (``<split>.label``) take the same reordering and
stay with their tokens. Derived scripts: ALIGN-MLM (https://arxiv.org/abs/2211.08547) and Deshpande et al. 2022
(https://arxiv.org/abs/2110.14782).
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fairseq.data import Dictionary

from fairseq_align import vocabulary
from fairseq_align.data import binarized
from fairseq_align.errors import InputError

logger = logging.getLogger(__name__)

TRANSFORMS = ("transliterate", "invert")
UNITS = ("word", "subword")
RECORD = "derivation.json"
CHUNK = 1 << 22  # tokens held in memory at a time


class Chunk(NamedTuple):
    """Whole sentences, one after the other.

    Attributes:
        tokens: ids, shape (N,), int64.
        sizes: tokens of each sentence, shape (S,), sum N; a sentence ends with ``</s>`` where the data has it.
    """

    tokens: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class Derivation:
    """What was done to a language, enough to do it again to other data of the same vocabulary.

    Attributes:
        source: name of the language it was made from.
        transforms: names from ``TRANSFORMS``, applied in this order.
        unit: what ``invert`` reverses, ``word`` or ``subword``.
        seed: of everything drawn at random.
        source_pieces: pieces of the vocabulary before derivation; what ``transliterate`` adds to an id.
        pieces: pieces of the vocabulary after derivation.
        dictionary: ``vocabulary.checksum`` of dict.txt before derivation.
    """

    source: str
    transforms: tuple[str, ...]
    unit: str
    seed: int
    source_pieces: int
    pieces: int
    dictionary: str

    def __post_init__(self):
        unknown = [name for name in self.transforms if name not in TRANSFORMS]
        if unknown or not self.transforms or self.unit not in UNITS:
            found = f"transforms {','.join(self.transforms) or 'none'} and unit {self.unit}"
            raise InputError(
                f"found {found}, expected transforms out of {', '.join(TRANSFORMS)} and unit {' or '.join(UNITS)}"
            )

    def save(self, path: str | Path) -> None:
        part = f"{path}.part"
        Path(part).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        os.replace(part, path)

    @classmethod
    def load(cls, path: str | Path) -> "Derivation":
        advice = "expected the record that preprocess/derive.py writes beside its data; derive the language again"
        try:
            fields = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(**{**fields, "transforms": tuple(fields["transforms"])})
        except FileNotFoundError as error:
            raise InputError(f"{path}: found no file, {advice}") from error
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(f"{path}: found {error}, {advice}") from error


def transliterate(tokens: np.ndarray, source_pieces: int, nspecial: int = 4) -> np.ndarray:
    """Write tokens in the derived script: id -> id + ``source_pieces``, one new symbol for each old one.

    Args:
        tokens: ids, any shape, integers; specials (ids below ``nspecial``) stay.
        source_pieces: size of the vocabulary before derivation, specials not counted.
    """
    return np.where(tokens < nspecial, tokens, tokens + source_pieces)


def invert(chunk: Chunk, starts: np.ndarray, final: np.ndarray, eos: int = 2) -> np.ndarray:
    """Where each token of a chunk goes when the words of every sentence are reversed; its own inverse.

    Pieces of a word keep their order, ``</s>`` stays last. Sentence-final punctuation at the end of a sentence stays
    there, and so does such punctuation at the beginning of one, without which reversing twice would not give back
    ``... and then he left``.

    Args:
        chunk: N tokens.
        starts: ids that begin a word, bool, shape (V,).
        final: ids that are sentence-final punctuation, bool, shape (V,).

    Returns:
        target position of each token, a permutation of ``arange(N)``, int64; apply with ``out[positions] = tokens``.
    """
    tokens, sizes = chunk
    sentence_start = np.cumsum(sizes) - sizes
    begins = starts[tokens]
    begins[sentence_start[sizes > 0]] = True  # a sentence begins a word even where its first piece does not
    is_eos = tokens == eos
    begins |= is_eos
    word = np.cumsum(begins) - 1  # of each token
    word_start = np.flatnonzero(begins)
    word_end = np.append(word_start[1:], len(tokens))

    # a word stays where it is if it is </s>, or one of the punctuation words that open or close the sentence
    stays = np.logical_and.reduceat(final[tokens] | is_eos, word_start) if len(word_start) else np.empty(0, dtype=bool)
    sentence = np.repeat(np.arange(len(sizes)), sizes)[word_start]  # of each word
    first, last = _body(sentence, stays, len(sizes))
    low = np.append(word_start, len(tokens))[first][sentence]
    high = np.append(word_start, len(tokens))[last][sentence]
    moves = (word_start >= low) & (word_start < high)
    shift = np.where(moves, low + high - word_end - word_start, 0)
    return np.arange(len(tokens)) + shift[word]


def _body(sentence: np.ndarray, stays: np.ndarray, sentences: int) -> tuple[np.ndarray, np.ndarray]:
    """First word and the word after the last one that a sentence reverses; equal where all its words stay.

    Args:
        sentence: index of the sentence of each word, ascending, shape (W,).
        stays: words that are kept at an edge, bool, shape (W,).
        sentences: number of sentences.
    """
    moving = np.flatnonzero(~stays)
    of = sentence[moving]
    first = np.zeros(sentences, dtype=np.int64)
    last = np.zeros(sentences, dtype=np.int64)
    first[of[::-1]] = moving[::-1]  # the assignment made last wins: the lowest word of the sentence
    last[of] = moving + 1
    return first, last


class Deriver:
    """Applies a derivation to chunks of one vocabulary.

    Args:
        derivation: what to do.
        dictionary: the vocabulary after derivation.
    """

    def __init__(self, derivation: Derivation, dictionary: Dictionary):
        self.derivation = derivation
        self.eos = dictionary.eos()
        self.nspecial = dictionary.nspecial
        self.starts = vocabulary.word_starts(dictionary)
        self.final = vocabulary.sentence_final(dictionary)
        if derivation.unit == "subword":
            self.starts[:] = True

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of the derived sentences, and the position that each token of the chunk goes to; both shape (N,)."""
        tokens = chunk.tokens
        positions = np.arange(len(tokens))
        for name in self.derivation.transforms:
            if name == "transliterate":
                tokens = transliterate(tokens, self.derivation.source_pieces, self.nspecial)
            else:
                step = invert(Chunk(tokens, chunk.sizes), self.starts, self.final, self.eos)
                tokens = place(tokens, step)
                positions = step[positions]
        return tokens, positions


def place(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Put ``values[i]`` at ``positions[i]``; both shape (N,)."""
    placed = np.empty_like(values)
    placed[positions] = values
    return placed


def chunks(corpus: binarized.Corpus, chunk_tokens: int = CHUNK) -> Iterator[tuple[slice, slice]]:
    """Slices of tokens and of sentences that together hold at most ``chunk_tokens`` tokens, or one longer sentence."""
    offsets = corpus.offsets
    first = 0
    while first < len(corpus.sizes):
        last = max(int(np.searchsorted(offsets, offsets[first] + chunk_tokens, side="right")) - 1, first + 1)
        yield slice(int(offsets[first]), int(offsets[last])), slice(first, last)
        first = last


def derive_corpus(
    source: Path, target: Path, derive: Deriver, dictionary: Dictionary, progress: Callable[[int], object]
) -> int:
    """Derive ``<source>.bin`` and, where there are any, the labels beside it.

    Args:
        source, target: paths without ``.bin`` / ``.idx``; the target appears only when it is complete.
        dictionary: the vocabulary after derivation.
        progress: called with the number of tokens of each chunk that is done.

    Returns:
        number of tokens.
    """
    if binarized.exists(f"{source}.label"):
        corpus, labels = binarized.read_labelled(source)
    else:
        corpus, labels = binarized.read(source), None
    limit = dictionary.nspecial + derive.derivation.source_pieces
    with ExitStack() as stack:
        out = stack.enter_context(binarized.writer(target, len(dictionary)))
        if labels:
            label_out = stack.enter_context(binarized.writer(f"{target}.label", int(labels.tokens.max(initial=0)) + 1))
        for span, items in chunks(corpus):
            tokens = corpus.tokens[span].astype(np.int64)
            if tokens.max(initial=0) >= limit:
                raise InputError(
                    f"{source}.bin: found token id {tokens.max()}, expected ids below {limit}, the size of the "
                    "dictionary before derivation; binarize it with dict.txt, and derive from the source language"
                )
            sizes = corpus.sizes[items]
            derived, positions = derive(Chunk(tokens, sizes))
            out.add(derived, sizes)
            if labels:
                label_out.add(place(labels.tokens[span], positions), sizes)
            progress(len(tokens))
    return len(corpus.tokens)
