"""Bands of queries that bilingual lexicon induction is also scored on. A new kind is a row of ``BANDS``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from fairseq_align.evaluation.alignment import Language
    from fairseq_align.lexicon.words import Words


class QueryWords(NamedTuple):
    """Queries, and what their bands depend on.

    Attributes:
        words: Q queries.
        source, target: their language, and that of the candidates.
        gold: pairs of a query and a candidate that translates it, int64, shape (G, 2).
    """

    words: Words
    source: Language
    target: Language
    gold: Tensor

    @property
    def translations(self) -> Words:
        """The candidate of each gold pair, G words."""
        return self.target.candidates.take(self.gold[:, 1])


def by_frequency(queries: QueryWords) -> list[str]:
    """``10-99`` for a word that occurs 12 times in the training text."""
    from fairseq_align.lexicon import coverage, frequency

    return [coverage.band(count) for count in frequency.occurrences(queries.source.tokens, queries.words).tolist()]


def by_pieces(queries: QueryWords) -> list[str]:
    """``2`` for a word of two pieces."""
    from fairseq_align.lexicon.coverage import pieces_band

    return [pieces_band(length) for length in queries.words.lengths.tolist()]


def by_overlap(queries: QueryWords) -> list[str]:
    """``some`` for a word that shares a piece with a translation: it is near to it without any training; ``none``."""
    translations, words = list(queries.translations.tuples()), list(queries.words.tuples())
    pairs = zip(queries.gold[:, 0].tolist(), translations, strict=True)
    overlapping = {row for row, translation in pairs if not set(words[row]).isdisjoint(translation)}
    return ["some" if row in overlapping else "none" for row in range(len(words))]


def by_kind(queries: QueryWords) -> list[str]:
    """``name``, ``same``, ``alike`` or ``other``, see ``word_kinds``: the first that a word is with a translation."""
    from fairseq_align.lexicon.word_kinds import KINDS, kind

    capitals = queries.source.capitals, queries.target.capitals
    words, translations = queries.source.spelt(queries.words), queries.target.spelt(queries.translations)
    kinds: dict[int, set[str]] = defaultdict(set)
    for row, translation in zip(queries.gold[:, 0].tolist(), translations, strict=True):
        kinds[row].add(kind(words[row], translation, capitals))
    return [min(kinds[row], key=KINDS.index) for row in range(len(words))]


BANDS: dict[str, Callable[[QueryWords], list[str]]] = {
    "frequency": by_frequency,
    "pieces": by_pieces,
    "overlap": by_overlap,
    "kind": by_kind,
}
OF_SPELLING = ("kind",)  # kinds of bands that say nothing of a language in derived pieces, which shares no letter


def bands_of(queries: QueryWords, kinds: Sequence[str]) -> dict[str | None, list[int]]:
    """Rows of the queries in each band, e.g. ``pieces:2``; of all of them for None.

    Args:
        kinds: names in ``BANDS``.
    """
    rows: dict[str | None, list[int]] = {None: list(range(len(queries.words)))}
    for kind in BANDS:
        if kind in kinds:
            names = BANDS[kind](queries)
            for name in sorted(set(names)):
                rows[f"{kind}:{name}"] = [row for row, own in enumerate(names) if own == name]
    return rows
