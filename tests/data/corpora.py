"""Small binarized corpora and a masking for the tests of this room: ids 0 to 3 are special, 4 to 13 are pieces."""

import numpy as np

from fairseq_align.data import binarized
from fairseq_align.data.masking import Masking

PAD, MASK = 1, 14
WORDS = (4, 14)


def masking(
    mask_prob=0.15, random_token_prob=0.1, leave_unmasked_prob=0.1, words=WORDS, mask_idx=MASK, **fields
) -> Masking:
    return Masking(mask_prob, random_token_prob, leave_unmasked_prob, mask_idx, PAD, words, **fields)


def write(prefix, *sentences, vocabulary_size=14):
    with binarized.writer(prefix, vocabulary_size) as out:
        for sentence in sentences:
            out.add(np.array(sentence), np.array([len(sentence)]))
