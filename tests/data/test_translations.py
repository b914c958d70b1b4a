"""Translations of single pieces."""

import torch

from fairseq_align.data.translations import entries
from fairseq_align.lexicon.words import Pairs, Words
from tests.data.corpora import MASK

FRENCH = 15  # <mask:fr>


def test_translations_are_of_single_pieces_both_ways():
    pairs = Pairs(Words.of([[4], [5, 6], [7]]), Words.of([[8], [9], [10, 11]]), torch.ones(3))
    assert entries(pairs, FRENCH) == [(4, 8, FRENCH)]
    assert entries(pairs, MASK, reverse=True) == [(8, 4, MASK)]
