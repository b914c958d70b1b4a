"""Encoders: remembering words changes nothing but the time; running text is tokenised first."""

from fairseq_align.text import encoder, subword, vocabulary
from tests.text.test_subword import toy_text, train


def test_remembered_words_have_the_same_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(encoder, "REMEMBERED", 2)
    processor = subword.load(train(tmp_path, toy_text()) / "spm.model")
    encode = encoder.WordEncoder(processor)
    for words in (["ab", "ba", "<unk>"], ["ab", "ab", "\u200b"], ["漢", "ba", "ab"]):
        assert encode(words) == subword.encode_words(processor, words)
    encode(["ab"])[0].clear()  # what a caller does to a list of pieces is not remembered
    assert encode(["ab"]) == subword.encode_words(processor, ["ab"]) != [[]]


def test_running_text_is_tokenised_unless_it_is(tmp_path):
    folder = train(tmp_path, toy_text())
    processor, dictionary = subword.load(folder / "spm.model"), vocabulary.load(folder / "dict.txt")
    running, tokenised = (encoder.TextEncoder(processor, dictionary, "en", tokenized) for tokenized in (False, True))
    assert running("abc  abc.") == tokenised("abc abc .") != tokenised("abc abc.")
    pieces = [piece for word in subword.encode_words(processor, ["abc", "abc", "."]) for piece in word]
    assert running("abc abc.") == [dictionary.index(piece) for piece in pieces]
    assert running(" \u00a0 ") == []
