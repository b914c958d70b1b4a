"""Transforms of sentences that make a derived language: another script, another order of the words.

A transform maps a *chunk*, whole sentences laid one after the other, to the same sentences, none longer or shorter:

    the transliterated inverse of    _the _small _cat s _sleep . </s>
    is                               _sleep~ _cat~ s~ _small~ _the~ .~ </s>

``TRANSFORMS`` is the table of all transforms; to add one, write its function and its row. Derived scripts and orders:
ALIGN-MLM (https://arxiv.org/abs/2211.08547) and Deshpande et al. 2022 (https://arxiv.org/abs/2110.14782).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from fairseq_align.errors import InputError
from fairseq_align.lazy import np
from fairseq_align.text import vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary

    from fairseq_align.derivation.record import Derivation  # which looks names up in TRANSFORMS


class Chunk(NamedTuple):
    """Whole sentences, one after the other.

    Attributes:
        tokens: ids, shape (N,), int64.
        sizes: tokens of each sentence, shape (S,), sum N; a sentence ends with ``</s>`` where the data has it.
        begins: tokens that begin a word, bool, shape (N,), of data that say so, as labelled data do; None: words begin
            with U+2581.
    """

    tokens: np.ndarray
    sizes: np.ndarray
    begins: np.ndarray | None = None


class WordSpans(NamedTuple):
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
        """Target position of each token, shape (N,), when its word moves by ``shift`` (W,) tokens."""
        positions = np.append(0, shift).take(self.number)
        positions += np.arange(len(positions))
        return positions


def word_spans(chunk: Chunk, starts: np.ndarray, edge: np.ndarray) -> WordSpans:
    """Find the words of a chunk, and the body of each sentence.

    ``</s>`` stays last. Sentence-final punctuation at the end of a sentence stays there, and so does such punctuation
    at the beginning of one, without which inverting twice would not give back ``... and then he left``.

    Args:
        chunk: N tokens.
        starts: ids that begin a word, ``</s>`` among them, bool, shape (V,); of a chunk that does not say where its
            words begin.
        edge: ids that stay at the edges of a sentence, ``</s>`` and sentence-final punctuation, bool, shape (V,).
    """
    tokens, sizes, begins = chunk
    offsets = np.append(0, np.cumsum(sizes))
    begins = starts.take(tokens) if begins is None else begins.copy()
    begins[offsets[:-1][sizes > 0]] = True  # a sentence begins a word even where its first piece does not
    number = np.zeros(len(tokens) + 1, dtype=np.int64)
    np.cumsum(begins, out=number[1:])
    starts_and_end = np.append(np.flatnonzero(begins), len(tokens))
    bounds = number[offsets]
    first, last = bounds[:-1].copy(), bounds[1:].copy()
    sentences = np.flatnonzero(first < last)
    while len(sentences):  # as many rounds as the longest run of such words: few
        sentences = sentences[_stay(last[sentences] - 1, tokens, starts_and_end, edge)]
        last[sentences] -= 1
        sentences = sentences[first[sentences] < last[sentences]]
    sentences = np.flatnonzero(first < last)
    while len(sentences):  # ends before the body does: the last word of a body does not stay
        sentences = sentences[_stay(first[sentences], tokens, starts_and_end, edge)]
        first[sentences] += 1
    return WordSpans(starts_and_end[:-1], starts_and_end[1:], number[1:], bounds, first, last)


def _stay(words: np.ndarray, tokens: np.ndarray, starts_and_end: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Which of these words stay at an edge of their sentence: those all of whose pieces do; bool."""
    begin, end = starts_and_end[words], starts_and_end[words + 1]
    stay = edge.take(tokens[begin])
    for index in np.flatnonzero(stay & (end - begin > 1)):  # few: punctuation of several pieces
        stay[index] = edge.take(tokens[begin[index] : end[index]]).all()
    return stay


def ranges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The numbers ``low[i] ... high[i] - 1`` of every ``i``, one range after the other.

    Example:
        >>> ranges(np.array([3, 7]), np.array([5, 8])).tolist()
        [3, 4, 7]
    """
    counts = high - low
    ends = np.cumsum(counts)
    return np.repeat(low - ends + counts, counts) + np.arange(counts.sum())


def scatter(values: np.ndarray, positions: np.ndarray | None) -> np.ndarray:
    """Put ``values[i]`` at ``positions[i]``; both shape (N,). None: every value stays where it is.

    Example:
        >>> scatter(np.array([10, 20, 30]), np.array([2, 0, 1])).tolist()
        [20, 30, 10]
    """
    if positions is None:
        return values
    scattered = np.empty_like(values)
    scattered[positions] = values
    return scattered


def inversion(words: WordSpans) -> np.ndarray:
    """Positions that reverse the words of every sentence; pieces of a word keep their order; its own inverse.

    Returns:
        target position of each token, a permutation of ``arange(N)``, int64; apply with ``scatter``.

    Example:
        Ids 5 and 6 begin words, 7 continues one, 2 is ``</s>``.

        >>> starts, edge = np.array([True] * 7 + [False]), np.arange(8) == 2
        >>> chunk = Chunk(np.array([5, 7, 6, 2]), np.array([4]))
        >>> scatter(chunk.tokens, inversion(word_spans(chunk, starts, edge))).tolist()
        [6, 5, 7, 2]
    """
    starts_and_end = np.append(words.starts, len(words.number))
    shift = np.repeat(starts_and_end[words.first] + starts_and_end[words.last], np.diff(words.bounds))
    shift -= words.starts
    shift -= words.ends
    shift[ranges(words.bounds[:-1], words.first)] = 0
    shift[ranges(words.last, words.bounds[1:])] = 0
    return words.moved(shift)


def permutation(words: WordSpans, keys: np.ndarray) -> np.ndarray:
    """Positions that sort the words of every sentence by their keys.

    Args:
        keys: a random number in [0, 1) for each word, shape (W,).

    Returns:
        as ``inversion``.
    """
    moving = ranges(words.first, words.last)  # the words of all bodies
    if not len(moving):
        return np.arange(len(words.number))
    body_sizes = words.last - words.first
    order = _sorted_within_bodies(moving, keys, body_sizes)
    # the bodies stay where they are, one after the other, and each is filled with its words in their new order
    lengths = (words.ends - words.starts)[order]
    filled = np.cumsum(lengths) - lengths  # tokens of all bodies before each word
    body_starts = words.starts[np.minimum(words.first, len(words.starts) - 1)]
    filled_before_body = np.append(filled, lengths.sum())[np.cumsum(body_sizes) - body_sizes]
    shift = np.zeros(len(words.starts), dtype=np.int64)
    shift[order] = filled + np.repeat(body_starts - filled_before_body, body_sizes) - words.starts[order]
    return words.moved(shift)


def _sorted_within_bodies(moving: np.ndarray, keys: np.ndarray, body_sizes: np.ndarray) -> np.ndarray:
    """The words ``moving`` of all bodies, body by body, each body by its keys: ``moving[np.lexsort((keys, body))]``.

    Body, key and word are packed into one integer each: sorting numbers is faster than sorting indices, and the
    bodies, which are in order already, help the stable sort. Keys are cut to the bits that the other two leave.
    """
    word_bits = len(keys).bit_length()
    key_bits = 63 - word_bits - len(body_sizes).bit_length()
    packed = np.repeat(np.arange(len(body_sizes)) << key_bits, body_sizes)
    packed += (keys[moving] * (1 << key_bits)).astype(np.int64)
    packed <<= word_bits
    packed += moving
    packed.sort(kind="stable")
    return packed & ((1 << word_bits) - 1)


def shared_pieces(derivation: Derivation) -> np.ndarray:
    """Numbers, from 0, of the pieces that ``overlap`` leaves in the source script; int64."""
    count = round(derivation.overlap * derivation.source_pieces)
    return np.random.default_rng(derivation.seed).permutation(derivation.source_pieces)[:count]


def transliteration(derivation: Derivation, nspecial: int = 4) -> np.ndarray:
    """The id that each id of the source vocabulary becomes: itself plus ``source_pieces``, one new symbol each.

    Specials stay, and so does a seeded fraction ``overlap`` of the pieces, which the two languages share.

    Returns:
        int64, shape (nspecial + source_pieces,).
    """
    pieces = derivation.source_pieces
    table = np.arange(nspecial + pieces)
    table[nspecial:] += pieces
    shared = nspecial + shared_pieces(derivation)
    table[shared] = shared
    return table


class Deriver:
    """Applies a derivation to the chunks of one corpus, in their order.

    Args:
        derivation: what to do.
        dictionary: the vocabulary after derivation.

    Raises:
        InputError: the derivation is of a larger vocabulary.

    Attributes:
        rng: random numbers of this derivation, drawn chunk by chunk.
    """

    def __init__(self, derivation: Derivation, dictionary: Dictionary):
        self.derivation, self.dictionary = derivation, dictionary
        if derivation.source_pieces > len(dictionary):
            raise InputError(
                f"found source_pieces {derivation.source_pieces:,} in the record of a derivation, expected at most the "
                f"{len(dictionary):,} symbols of dict.txt; derive the language again"
            )
        self.rng = np.random.default_rng([derivation.seed, 1])
        self._starts = vocabulary.word_starts(dictionary)
        self._edge = vocabulary.sentence_final(dictionary)
        self._edge[dictionary.eos()] = True
        if derivation.unit == "subword":
            self._starts[:] = True

    @cached_property
    def transliterated(self) -> np.ndarray:
        """``transliteration`` of this derivation."""
        return transliteration(self.derivation, self.dictionary.nspecial)

    def words(self, chunk: Chunk) -> WordSpans:
        """The words of a chunk; with the unit ``subword`` each token is a word."""
        if self.derivation.unit == "subword":
            chunk = chunk._replace(begins=None)
        return word_spans(chunk, self._starts, self._edge)

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray | None]:
        """Apply all transforms.

        Returns:
            tokens of the derived sentences, shape (N,), and the target position of each token of the chunk, shape
            (N,), too; None if every token stays where it is.
        """
        (tokens, sizes, begins), positions = chunk, None
        for name in self.derivation.transforms:
            tokens, step = TRANSFORMS[name].apply(Chunk(tokens, sizes, begins), self)
            if step is not None:
                positions = step if positions is None else step[positions]
                begins = None if begins is None else scatter(begins, step)
        return tokens, positions


Derived: TypeAlias = "tuple[np.ndarray, np.ndarray | None]"  # tokens and positions, as Deriver.__call__ returns them


def transliterate(chunk: Chunk, deriver: Deriver) -> Derived:
    """Another script: every piece becomes its derived piece."""
    return deriver.transliterated.take(chunk.tokens), None


def invert(chunk: Chunk, deriver: Deriver) -> Derived:
    """The words of each sentence in reverse order."""
    positions = inversion(deriver.words(chunk))
    return scatter(chunk.tokens, positions), positions


def permute(chunk: Chunk, deriver: Deriver) -> Derived:
    """The words of each sentence in a random order."""
    words = deriver.words(chunk)
    positions = permutation(words, deriver.rng.random(len(words.starts)))
    return scatter(chunk.tokens, positions), positions


class Transform(NamedTuple):
    """A row of ``TRANSFORMS``.

    Attributes:
        apply: maps a chunk to tokens and positions, as ``Deriver.__call__`` returns them. It may use all that the
            deriver has: record, dictionary, words, random numbers.
        new_script: whether it writes derived pieces, for which the dictionary must be doubled.
    """

    apply: Callable[[Chunk, Deriver], Derived]
    new_script: bool = False


TRANSFORMS: dict[str, Transform] = {
    "transliterate": Transform(transliterate, new_script=True),
    "invert": Transform(invert),
    "permute": Transform(permute),
}
