"""Self-learning: from time to time, words that are nearest to each other join the lexicon."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from fairseq.data import Dictionary
from torch import Tensor

from fairseq_align.data import whole_words
from fairseq_align.embeddings import induction, retrieval
from fairseq_align.embeddings.characters import Characters
from fairseq_align.embeddings.retrieval import Space
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Pairs, Words

logger = logging.getLogger(__name__)

Word = tuple[int, ...]


@dataclass(frozen=True)
class SelfLearning:
    """Pairs of words of two languages that are mutual nearest neighbours by CSLS, beside those of a lexicon.

    Candidates are the most frequent whole words of the training texts, of any number of pieces. A word of the lexicon
    of these two languages has its translation already and gets no other one; a word that is its own nearest is no pair.

    Attributes:
        langs: pairs of languages, folders of the data.
        every: updates between two searches; each forgets what the one before found.
        weight: of such a pair, where one of the lexicon has 1 or what its file says.
        words: candidates of each language.
        dictionary: of the data.
        data: folder of the binarized data.

    Source: Artetxe et al. 2018, https://arxiv.org/abs/1805.06297, with CSLS and mutual neighbours as in Conneau et al.
    2018, https://arxiv.org/abs/1710.04087
    """

    langs: Sequence[tuple[str, str]]
    every: int
    weight: float
    words: int
    dictionary: Dictionary
    data: Path

    @cached_property
    def candidates(self) -> dict[str, list[Word]]:
        """Words of each language, the most frequent first."""
        langs = dict.fromkeys(lang for pair in self.langs for lang in pair)
        return {lang: whole_words.frequent(self.data, lang, self.dictionary, self.words) for lang in langs}

    def find(self, table: Tensor, given: Sequence[Pairs], characters: Characters | None = None) -> Pairs:
        """Pairs that a table of word embeddings makes mutual neighbours; on the CPU.

        Args:
            table: shape (V, C).
            given: pairs of the lexicon, of each pair of ``langs``; what is found there is of its first lexicon.
        """
        found: list[tuple[Word, Word]] = []
        lexicons: list[int] = []
        for (one, other), known_pairs in zip(self.langs, given, strict=True):
            sources, targets = (set(side.tuples()) for side in (known_pairs.source, known_pairs.target))
            lists = [
                [word for word in self.candidates[lang] if word not in known]
                for lang, known in ((one, sources), (other, targets))
            ]
            if not all(lists):
                continue
            spaces = [Space.of(table.detach(), Words.of(words).to(table.device), characters) for words in lists]
            neighbours = induction.nearest(*spaces, retrieval.mean_similarities(*spaces))
            rows = induction.mutual(*neighbours)
            nearest = neighbours[0].row[rows].tolist()
            pairs = ((lists[0][row], lists[1][near]) for row, near in zip(rows.tolist(), nearest, strict=True))
            own = [(word, translation) for word, translation in pairs if word != translation]
            found += own
            lexicons += [0 if known_pairs.lexicons is None else int(known_pairs.lexicons[0])] * len(own)
        sides = [Words.of([pair[side] for pair in found]) for side in (0, 1)]
        weights = torch.full((len(found),), self.weight)
        return Pairs(*sides, weights, lexicons=torch.tensor(lexicons, dtype=torch.int64))

    def precision(self, found: Pairs, heldout: Sequence[Pairs]) -> tuple[int, int]:
        """Of found pairs whose source word is held out in their languages, how many are right, and how many there are.

        Args:
            heldout: pairs that are held out, of each pair of ``langs``.
        """
        right = known = 0
        texts = {lang: set(words) for lang, words in self.candidates.items()}
        golds = [_translations(pairs) for pairs in heldout]
        for word, translation in zip(found.source.tuples(), found.target.tuples(), strict=True):
            answers = [
                gold[word]
                for (one, other), gold in zip(self.langs, golds, strict=True)
                if word in gold and word in texts[one] and translation in texts[other]
            ]
            known += bool(answers)
            right += any(translation in answer for answer in answers)
        return right, known


def _translations(pairs: Pairs) -> dict[Word, set[Word]]:
    found: dict[Word, set[Word]] = {}
    for word, translation in zip(pairs.source.tuples(), pairs.target.tuples(), strict=True):
        found.setdefault(word, set()).add(translation)
    return found


def kept(update: int, pairs: Pairs) -> dict[str, int | Tensor | None]:
    """What a checkpoint keeps of the pairs that were found at an update."""
    sides = {"source": pairs.source, "target": pairs.target}
    return {"update": update, "weights": pairs.weights, "lexicons": pairs.lexicons} | {
        f"{side}_{part}": tensor for side, words in sides.items() for part, tensor in words._asdict().items()
    }


def taken_up(state: Mapping[str, int | Tensor | None]) -> Pairs:
    """The pairs of ``kept``."""
    source, target = (Words(state[f"{side}_ids"], state[f"{side}_offsets"]) for side in ("source", "target"))
    return Pairs(source, target, state["weights"], lexicons=state.get("lexicons"))


def lexicons(value: str) -> list[tuple[str, str, str]]:
    """Pairs of languages that ``--self-learn`` names and the lexicon of each, empty where it names none.

    >>> lexicons("en:fr:en-fr.tsv,en:hi")
    [('en', 'fr', 'en-fr.tsv'), ('en', 'hi', '')]

    Raises:
        InputError: there is anything else.
    """
    found = [item.split(":", 2) for item in value.split(",")]
    langs = languages(",".join(":".join(parts[:2]) for parts in found), "--self-learn")
    return [(*pair, "".join(parts[2:])) for pair, parts in zip(langs, found, strict=True)]


def languages(value: str, flag: str) -> list[tuple[str, str]]:
    """Pairs of languages that a flag names.

    >>> languages("en:fr,en:hi", "--hard-negatives-langs")
    [('en', 'fr'), ('en', 'hi')]

    Raises:
        InputError: there is anything else.
    """
    found = [tuple(item.split(":")) for item in value.split(",")]
    for pair in found:
        if len(pair) != 2 or not all(pair):
            raise InputError(f"{flag}: found {':'.join(pair)!r}, expected two languages, e.g. en:fr")
    return found
