"""The paper's own measure of alignment: P@1 over the whole vocabulary of a derived language, not over a lexicon.

Every piece that the derivation writes in the other script is a query, whether a lexicon or a text has it or not; the
candidates are all pieces of the derived language; the cosine decides. The authors score a random 40 % of the queries.
Source: ALIGN-MLM, Tang et al. 2022, https://arxiv.org/abs/2211.08547
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from fairseq_align.derivation.record import RECORD, Derivation
from fairseq_align.derivation.transforms import transliteration
from fairseq_align.embeddings import retrieval
from fairseq_align.embeddings.retrieval import Space
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Words
from fairseq_align.text import vocabulary

SPLIT = "whole"
SAMPLE = 0.4  # share of the queries in the sample
# one sample for all models, which are to be compared; two numbers, as the lexicon of seed 1 is drawn from [1]
SAMPLE_SEED = (1, 40)


def record_of(folder: Path) -> Derivation | None:
    """The record of a derived language; None for a language as it is.

    Raises:
        InputError: the record is broken.
    """
    path = folder / RECORD
    return Derivation.load(path) if path.exists() else None


def has_new_script(derivation: Derivation | None) -> bool:
    """Whether a language is written in derived pieces."""
    return derivation is not None and "transliterate" in derivation.transforms


class WholeVocabulary(NamedTuple):
    """Every piece of a vocabulary and its translation by a derivation.

    Attributes:
        source: Q pieces, in the order of the vocabulary.
        target: all pieces of the derived language, N of them.
        gold: number of each query and row of its translation in ``target``, int64, shape (Q, 2).
    """

    source: Words
    target: Words
    gold: Tensor

    @classmethod
    def load(cls, data: Path, langs: tuple[str, str], dictionary: Dictionary) -> "WholeVocabulary | None":
        """Read what the derivation of a language translates; None where that is no question of pieces alone.

        Pieces that ``overlap`` leaves in the source script are candidates and no queries, being their own translation.

        Args:
            data: folder of binarized data.
            langs: source and target language; there is a whole vocabulary if the second is written in derived pieces
                and the first is not.
            dictionary: of the data.

        Raises:
            InputError: a record is broken or made for another dictionary.
        """
        before, after = (record_of(data / lang) for lang in langs)
        if has_new_script(before) or not has_new_script(after):
            return None
        if vocabulary.derived_size(dictionary) != after.source_pieces:
            raise InputError(
                f"{data / langs[1] / RECORD}: found {after.source_pieces} pieces before derivation, expected half of "
                f"the {len(vocabulary.pieces(dictionary))} of dict.txt; derive the language again"
            )
        made_for = vocabulary.checksum(vocabulary.head(dictionary, after.source_pieces))
        if made_for != after.dictionary:
            raise InputError(
                f"{data / langs[1] / RECORD}: found dictionary {after.dictionary} before derivation, expected "
                f"{made_for}, half of dict.txt; derive the language again"
            )
        ids = np.arange(dictionary.nspecial, dictionary.nspecial + after.source_pieces)
        translated = transliteration(after, dictionary.nspecial)[ids]
        target, rows = np.unique(translated, return_inverse=True)
        queries = np.flatnonzero(translated != ids)
        gold = np.stack([np.arange(len(queries)), rows[queries]], axis=1)
        return cls(_pieces(ids[queries]), _pieces(target), torch.from_numpy(gold)) if len(queries) else None

    def scores(self, source: Space, target: Space, block: int = retrieval.BLOCK) -> Iterator[dict]:
        """P@1 of all queries and of a sample of them, as fields of a ``Score``.

        Args:
            source, target: vectors of the words of that name.
        """
        ranks = retrieval.ranks(source, target, self.gold.to(source.device), block=block)
        count = len(self.source)
        sample = np.random.default_rng(SAMPLE_SEED).permutation(count)[: max(1, round(SAMPLE * count))]
        for band, rows in ((None, torch.arange(count)), (f"sample:{SAMPLE:g}", torch.from_numpy(sample))):
            members = ranks.take(rows)
            yield {
                "metric": "p@1",
                "value": float(members.precision(1).double().mean()),
                "n": len(rows),
                "ties": int(members.tied.sum()),
                "band": band,
                "split": SPLIT,
            }


def _pieces(ids: np.ndarray) -> Words:
    """Words of one piece each."""
    return Words(torch.from_numpy(ids), torch.arange(len(ids)))
