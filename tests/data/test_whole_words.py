"""The most frequent whole words of a text, tokenised or not."""

import numpy as np

from fairseq_align.data import binarized, whole_words
from fairseq_align.text import vocabulary


def frequent(tmp_path, *sentences: str) -> list[str]:
    """The words of sentences in pieces, as they are spelt."""
    symbols = sorted({piece for sentence in sentences for piece in sentence.split()} - {"<unk>"})
    dictionary = vocabulary.of_symbols(symbols)
    with binarized.writer(tmp_path / "en" / "train", len(dictionary)) as out:
        for sentence in sentences:
            ids = [*map(dictionary.index, sentence.split()), dictionary.eos()]
            out.add(np.array(ids), np.array([len(ids)]))
    return [
        "".join(dictionary[piece] for piece in word) for word in whole_words.frequent(tmp_path, "en", dictionary, 9)
    ]


def test_punctuation_at_the_end_of_a_word_is_not_its_own(tmp_path):
    found = frequent(tmp_path, "▁a ▁house ,", "▁the ▁house .", "▁house ▁, ▁( ▁a ) .", "▁the ▁d ' or ? ! ▁a")
    assert found == ["▁a", "▁house", "▁the", "▁d'or"]


def test_marks_of_a_script_are_letters_and_words_without_letters_are_none(tmp_path):
    assert frequent(tmp_path, "▁बन्द ा ।", "▁12 %", "▁MP 3 »", "▁ ▁x <unk> ▁a ▁a") == ["▁a", "▁MP3", "▁बन्दा"]
