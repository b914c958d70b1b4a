"""Rows of a language from a file of word vectors: which words of a text a file knows."""

import numpy as np
import pytest
import torch

from fairseq_align.alignment import rows
from fairseq_align.data import binarized
from fairseq_align.lexicon.words import Pairs, Words
from fairseq_align.text import vocabulary

PIECES = ["\u2581The", "\u2581the", "\u2581cat", "s", "\u2581un", "\u2581deux"]  # ids from 4


@pytest.mark.parametrize("block", [1, 4096])
@pytest.mark.parametrize("known", ["the", "The the"])
def test_a_word_is_looked_up_as_it_is_spelt_and_else_in_lower_case(tmp_path, monkeypatch, known, block):
    monkeypatch.setattr(rows, "BLOCK", block)
    vectors = {"the": [1.0, 0.0], "The": [0.0, 1.0], "cat": [1.0, 1.0], "cats": [-2.0, 1.0], "dog": [5.0, 5.0]}
    lines = [
        f"{word} {x} {y}\n" for word, (x, y) in vectors.items() if word not in ("the", "The") or word in known.split()
    ]
    (tmp_path / "en.vec").write_text("".join(lines), encoding="utf-8")
    dictionary = vocabulary.of_symbols(PIECES)
    text = [4, 6, 2, 4, 6, 7, 2, 5, 6, 2, 5, 3, 2]  # The cat, The cats, the cat; the and an unknown piece is no word
    with binarized.writer(tmp_path / "train", len(dictionary)) as out:
        out.add(np.array(text), np.array([3, 4, 3, 3]))
    table = torch.cat([torch.zeros(8, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])])
    pairs = Pairs(Words.of([[8], [9]]), Words.of([[6], [6, 7]]), torch.ones(2))  # un - cat, deux - cats
    own = torch.arange(4, 8)
    after = rows.of_vectors(table, pairs, own, tmp_path / "en.vec", tmp_path / "train", dictionary)
    # cat is in 2 cat and 1 cats: (2 (1, 1) + (-2, 1)) / 3 = (0, 1); s in cats alone: (-2, 1)
    the = vectors["The"] if "The" in known else vectors["the"]
    expected = np.array([the, vectors["the"], [0, 1], [-2, 1]])
    unit = np.array([[1, 1] / np.sqrt(2), [-2, 1] / np.sqrt(5)])
    left, _, right = np.linalg.svd(unit.T)  # the table's vectors of un and deux are the unit vectors
    expected = expected @ (left @ right)
    expected *= (2 / 11) / np.linalg.norm(expected, axis=1).mean()  # two of eleven rows of length 1, the others 0
    assert after[4:8].numpy() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(after[[0, 1, 2, 3, 8, 9, 10]], table[[0, 1, 2, 3, 8, 9, 10]])
