"""Derived languages: transforms of binarized sentences, and the record that repeats them on other data.

A derived language is a directory of binarized data made once from another one. A transform maps a *chunk*, whole
sentences laid one after the other, to the same sentences in another script or order:

    the transliterated inverse of    _the _small _cat s _sleep . </s>
    is                               _sleep~ _cat~ s~ _small~ _the~ .~ </s>

Sizes never change, so labels that stand parallel to the tokens (``<split>.label``) take the same reordering and
stay with their tokens; IOB2 labels are made well formed in the new order (``tags.well_formed``). Derived scripts:
ALIGN-MLM (https://arxiv.org/abs/2211.08547) and Deshpande et al. 2022 (https://arxiv.org/abs/2110.14782).
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fairseq.data import Dictionary

from fairseq_align.data import binarized
from fairseq_align.downstream import labels as tags
from fairseq_align.errors import InputError
from fairseq_align.files import writing
from fairseq_align.text import vocabulary

logger = logging.getLogger(__name__)

TRANSFORMS = ("transliterate", "invert", "permute")
UNITS = ("word", "subword")
RECORD = "derivation.json"
KINDS = {"transforms": tuple, "overlap": (int, float)}  # of values in it; the other fields have plain types
CHUNK = 1 << 16  # tokens worked on at a time: few enough for a processor's cache


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
        overlap: fraction of the pieces that ``transliterate`` leaves in the source script, drawn at random, in [0, 1].
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
    overlap: float = 0.0

    def __post_init__(self):
        if not 0 <= self.overlap <= 1:
            raise InputError(f"found overlap {self.overlap}, expected a fraction of the vocabulary in [0, 1]")
        unknown = [name for name in self.transforms if name not in TRANSFORMS]
        if unknown or not self.transforms or self.unit not in UNITS:
            found = f"transforms {','.join(self.transforms) or 'none'} and unit {self.unit}"
            raise InputError(
                f"found {found}, expected transforms out of {', '.join(TRANSFORMS)} and unit {' or '.join(UNITS)}"
            )

    def save(self, path: str | Path) -> None:
        with writing(path) as file:
            file.write(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "Derivation":
        advice = "expected the record that preprocess/derive.py writes beside its data; derive the language again"
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            derivation = cls(**{**found, "transforms": tuple(found["transforms"])})
            for field in fields(cls):
                value, kind = getattr(derivation, field.name), KINDS.get(field.name, field.type)
                if not isinstance(value, kind) or (kind is int and value < 0):
                    raise ValueError(f"{field.name} {value!r:.40}")
            return derivation
        except FileNotFoundError as error:
            raise InputError(f"{path}: found no file, {advice}") from error
        except (OSError, TypeError, KeyError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: found {' '.join(str(error).split())}, {advice}") from error


def transliteration(derivation: Derivation, nspecial: int = 4) -> np.ndarray:
    """The id that each id of the source vocabulary becomes: itself plus ``source_pieces``, one new symbol each.

    Specials stay, and so does a seeded fraction ``overlap`` of the pieces, the words that the languages share.

    Returns:
        int64, shape (nspecial + source_pieces,).
    """
    pieces = derivation.source_pieces
    table = np.arange(nspecial + pieces)
    table[nspecial:] += pieces
    shared = nspecial + shared_pieces(derivation)
    table[shared] = shared
    return table


def shared_pieces(derivation: Derivation) -> np.ndarray:
    """Numbers, from 0, of the pieces that ``overlap`` leaves in the source script; int64."""
    count = round(derivation.overlap * derivation.source_pieces)
    return np.random.default_rng(derivation.seed).permutation(derivation.source_pieces)[:count]


class Words(NamedTuple):
    """The words of a chunk, W of them in S sentences.

    Attributes:
        starts: first token of each word, ascending, int64, shape (W,).
        ends: the token after its last one, shape (W,).
        number: number of the word, from 1, of each token, shape (N,).
        bounds: first word of each sentence and, last, W; shape (S + 1,).
        first, last: first word, and the one after the last, of the body of each sentence, the part that a transform
            may reorder; shape (S,). ``</s>`` and punctuation at the edges of a sentence belong to no body.
    """

    starts: np.ndarray
    ends: np.ndarray
    number: np.ndarray
    bounds: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def moved(self, shift: np.ndarray) -> np.ndarray:
        """Where each token goes when its word moves by ``shift`` (W,) tokens; shape (N,)."""
        positions = np.append(0, shift).take(self.number)
        positions += np.arange(len(positions))
        return positions


def words(chunk: Chunk, starts: np.ndarray, edge: np.ndarray) -> Words:
    """Find the words of a chunk, and the body of each sentence.

    ``</s>`` stays last. Sentence-final punctuation at the end of a sentence stays there, and so does such punctuation
    at the beginning of one, without which inverting twice would not give back ``... and then he left``.

    Args:
        chunk: N tokens.
        starts: ids that begin a word, ``</s>`` among them, bool, shape (V,).
        edge: ids that stay at the edges of a sentence, ``</s>`` and sentence-final punctuation, bool, shape (V,).
    """
    tokens, sizes = chunk
    offsets = np.append(0, np.cumsum(sizes))
    begins = starts.take(tokens)
    begins[offsets[:-1][sizes > 0]] = True  # a sentence begins a word even where its first piece does not
    number = np.zeros(len(tokens) + 1, dtype=np.int64)
    np.cumsum(begins, out=number[1:])
    edges = np.append(np.flatnonzero(begins), len(tokens))
    bounds = number[offsets]
    first, last = bounds[:-1].copy(), bounds[1:].copy()
    some = np.flatnonzero(first < last)
    while len(some):  # as often as the longest run of such words: few times
        some = some[_stay(last[some] - 1, tokens, edges, edge)]
        last[some] -= 1
        some = some[first[some] < last[some]]
    some = np.flatnonzero(first < last)
    while len(some):  # ends before the body does: its last word moves
        some = some[_stay(first[some], tokens, edges, edge)]
        first[some] += 1
    return Words(edges[:-1], edges[1:], number[1:], bounds, first, last)


def _stay(found: np.ndarray, tokens: np.ndarray, edges: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Which of these words stay at an edge of their sentence: those that do in all their pieces; bool."""
    stay = edge.take(tokens[edges[found]])
    for at in np.flatnonzero(stay & (edges[found + 1] - edges[found] > 1)):  # few: punctuation of several pieces
        stay[at] = edge.take(tokens[edges[found[at]] : edges[found[at] + 1]]).all()
    return stay


def ranges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The numbers ``low[i] ... high[i] - 1`` of every ``i``, one range after the other."""
    counts = high - low
    ends = np.cumsum(counts)
    return np.repeat(low - ends + counts, counts) + np.arange(counts.sum())


def invert(found: Words) -> np.ndarray:
    """Where each token goes when the words of every sentence are reversed; pieces keep their order; its own inverse.

    Returns:
        target position of each token, a permutation of ``arange(N)``, int64; apply with ``place``.
    """
    edges = np.append(found.starts, len(found.number))
    shift = np.repeat(edges[found.first] + edges[found.last], np.diff(found.bounds))
    shift -= found.starts
    shift -= found.ends
    shift[ranges(found.bounds[:-1], found.first)] = 0
    shift[ranges(found.last, found.bounds[1:])] = 0
    return found.moved(shift)


def permute(found: Words, keys: np.ndarray) -> np.ndarray:
    """Where each token goes when the words of every sentence are put in the order of their keys.

    Args:
        keys: a random number in [0, 1) a word, shape (W,).

    Returns:
        as ``invert``.
    """
    moving = ranges(found.first, found.last)
    if not len(moving):
        return np.arange(len(found.number))
    # sentence, key and word in one integer each: sorting numbers beats sorting indices, and the sentences, which are in
    # order already, help the stable sort
    word_bits = len(keys).bit_length()
    key_bits = 63 - word_bits - len(found.first).bit_length()
    packed = np.repeat(np.arange(len(found.first)) << key_bits, found.last - found.first)
    packed += (keys[moving] * (1 << key_bits)).astype(np.int64)
    packed <<= word_bits
    packed += moving
    packed.sort(kind="stable")
    order = packed & ((1 << word_bits) - 1)
    # the bodies keep their places one after the other, and so do the tokens that their words fill in turn
    lengths = found.ends - found.starts
    place_of_body = found.starts[np.minimum(found.first, len(lengths) - 1)]
    taken = np.cumsum(lengths[order]) - lengths[order]
    begin = np.append(taken, lengths[order].sum())[np.cumsum(found.last - found.first) - (found.last - found.first)]
    shift = np.zeros(len(lengths), dtype=np.int64)
    shift[order] = taken + np.repeat(place_of_body - begin, found.last - found.first) - found.starts[order]
    return found.moved(shift)


class Deriver:
    """Applies a derivation to the chunks of one corpus, in their order.

    Args:
        derivation: what to do.
        dictionary: the vocabulary after derivation.
    """

    def __init__(self, derivation: Derivation, dictionary: Dictionary):
        self.derivation = derivation
        self.starts = vocabulary.word_starts(dictionary)
        self.edge = vocabulary.sentence_final(dictionary)
        self.edge[dictionary.eos()] = True
        self.table = transliteration(derivation, dictionary.nspecial)
        self.rng = np.random.default_rng([derivation.seed, 1])
        if derivation.unit == "subword":
            self.starts[:] = True

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray | None]:
        """Tokens of the derived sentences, shape (N,), and the position that each token of the chunk goes to.

        The positions have shape (N,), too; None if every token stays where it is.
        """
        tokens, positions = chunk.tokens, None
        for name in self.derivation.transforms:
            if name == "transliterate":
                tokens = self.table.take(tokens)
                continue
            found = words(Chunk(tokens, chunk.sizes), self.starts, self.edge)
            step = invert(found) if name == "invert" else permute(found, self.rng.random(len(found.starts)))
            tokens = place(tokens, step)
            positions = step if positions is None else step[positions]
        return tokens, positions


def place(values: np.ndarray, positions: np.ndarray | None) -> np.ndarray:
    """Put ``values[i]`` at ``positions[i]``; both shape (N,). None: at ``i``."""
    if positions is None:
        return values
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


def place_labels(labels: np.ndarray, positions: np.ndarray | None, dictionary: Dictionary | None) -> np.ndarray:
    """Labels at the new positions of their tokens, well-formed IOB2 if they were.

    Args:
        labels: label ids of tokens, the padding symbol where there is none, shape (N,).
        positions: where each token goes, shape (N,); None: every token stays where it is.
        dictionary: of the labels; None: they are no IOB2 tags.
    """
    placed = place(labels, positions)
    if positions is None or dictionary is None or not tags.is_iob2(vocabulary.pieces(dictionary)):
        return placed
    labelled = np.flatnonzero(labels != dictionary.pad())
    order = np.argsort(positions[labelled])
    found = labels[labelled].astype(np.int64) - dictionary.nspecial
    placed[positions[labelled[order]]] = dictionary.nspecial + tags.well_formed(
        found, order, tags.scheme(vocabulary.pieces(dictionary))
    )
    return placed


def derive_corpus(
    source: Path,
    target: Path,
    derivation: Derivation,
    dictionary: Dictionary,
    progress: Callable[[int], object],
    label_dictionary: Dictionary | None = None,
) -> int:
    """Derive ``<source>.bin`` and, where there are any, the labels beside it.

    Args:
        source, target: paths without ``.bin`` / ``.idx``; the target appears only when it is complete.
        dictionary: the vocabulary after derivation.
        progress: called with the number of tokens of each chunk that is done.
        label_dictionary: of the labels, if there are any; tells whether they are IOB2 tags.

    Returns:
        number of tokens.
    """
    derive = Deriver(derivation, dictionary)
    if binarized.exists(f"{source}.label"):
        corpus, labels = binarized.read_labelled(source)
    else:
        corpus, labels = binarized.read(source), None
    limit = dictionary.nspecial + derivation.source_pieces
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
                label_out.add(place_labels(labels.tokens[span], positions, label_dictionary), sizes)
            progress(len(tokens))
    return len(corpus.tokens)
