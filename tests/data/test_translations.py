"""Entries of single pieces and of words."""

import torch

from fairseq_align.data.translations import Entries
from fairseq_align.lexicon.words import Pairs, Words
from tests.data.corpora import MASK

FRENCH = 15  # <mask:fr>


def test_translations_are_of_single_pieces_and_of_words_both_ways():
    pairs = Pairs(Words.of([[4], [5, 6], [7]]), Words.of([[8], [9], [10, 11]]), torch.ones(3))
    forth, back = Entries.of(pairs, FRENCH), Entries.of(pairs, MASK, reverse=True)
    assert forth == Entries([(4, 8, FRENCH)], [((5, 6), (9,), FRENCH), ((7,), (10, 11), FRENCH)])
    assert back == Entries([(8, 4, MASK)], [((9,), (5, 6), MASK), ((10, 11), (7,), MASK)])
    assert forth + Entries() == forth
