"""Derived languages: the same sentences in another script (transliteration), another order of the words, or both.

``corpus`` makes a derived language from binarized data by the transforms of ``transforms``; ``record`` owns
``derivation.json``, which says what was done. ``syntax`` gives trees the word order of another language: ``word_order``
is the model, ``order_fitting`` learns it, ``reordering`` applies it, ``lattice`` sums over all orders; ``typology``
compares treebanks.
"""

from fairseq_align.derivation.corpus import derive
from fairseq_align.derivation.record import Derivation
from fairseq_align.derivation.transforms import TRANSFORMS, Transform

__all__ = ["TRANSFORMS", "Derivation", "Transform", "derive"]
