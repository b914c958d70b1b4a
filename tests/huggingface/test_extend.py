import pytest
import torch

from fairseq_align.huggingface import tokenizer
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.encoder import TextEncoder
from tests.huggingface.models import imported, refused, sentences


def test_new_pieces_are_used_and_start_as_a_mean(plain, spm, tmp_path):
    processor, dictionary = subword.load(spm / "spm.model"), vocabulary.load(spm / "dict.txt")
    words = [word for word in dict.fromkeys(" ".join(sentences(50)).split()) if len(processor.encode(word)) > 2][:3]
    new = [f"\u2581{word}" for word in words] + ["\u2581\u014b\u014b"]  # the last is of an unknown character
    (tmp_path / "pieces.txt").write_text("\n".join(new) + "\n", encoding="utf-8")
    known = [word for word in " ".join(sentences(50)).split() if word not in words][:2]
    (tmp_path / "words.tsv").write_text(f"{words[0]}\t{known[0]}\n{words[0]}\t{known[1]}\n", encoding="utf-8")
    expected = imported(plain, tmp_path / "expected")["model"]
    flags = ["--extend-vocab", tmp_path / "pieces.txt", "--extend-lexicon", tmp_path / "words.tsv"]
    found = imported(plain, tmp_path / "out", *flags)["model"]
    extended = vocabulary.load(tmp_path / "out" / "dict.txt")
    assert extended.symbols == dictionary.symbols + new
    name = "encoder.sentence_encoder.embed_tokens.weight"
    end = len(dictionary)
    assert torch.equal(found[name][:end], expected[name][:end]) and torch.equal(found[name][-1], expected[name][-1])

    def rows(pieces):
        return [dictionary.index(piece) for piece in pieces]

    def pieces(*words):
        return [piece for word in subword.encode_words(processor, words) for piece in word]

    for place, old in enumerate((pieces(*known), pieces(words[1]), pieces(words[2]), dictionary.symbols[4:])):
        assert torch.allclose(found[name][end + place], expected[name][rows(old)].mean(0), atol=1e-6)
        mean = expected["encoder.lm_head.bias"][rows(old)].mean()
        assert found["encoder.lm_head.bias"][end + place] == pytest.approx(mean.item(), abs=1e-6)
    after = subword.load(tmp_path / "out" / "spm.model")
    assert subword.encode_words(after, words) == [[f"\u2581{word}"] for word in words]
    assert subword.encode_words(after, ["\u014b\u014b"]) == [["\u2581\u014b\u014b"]]
    others = [word for word in " ".join(sentences(50)).split() if not any(piece[1:] in word for piece in new)]
    assert others and subword.encode_words(after, others) == subword.encode_words(processor, others)
    # and the fast tokenizer agrees
    fast = tokenizer.build((tmp_path / "out" / "spm.model").read_bytes(), extended, "spm.model")
    encode = TextEncoder(after, extended, "en", tokenized=True)
    for text in [*sentences(50), " ".join(words)]:
        assert fast.encode(text, add_special_tokens=False).ids == encode(text)


def test_a_new_piece_that_cannot_be_one_is_refused(plain, tmp_path, capsys):
    path = tmp_path / "pieces.txt"
    for text, message in (
        ("\u2581a b", "no white space"),
        ("q\nq", "twice or in the vocabulary"),
        ("<mask>", "special"),
    ):
        path.write_text(text, encoding="utf-8")
        refused(capsys, tmp_path, ["import", plain, tmp_path / "out", "--extend-vocab", path], message)
    refused(capsys, tmp_path, ["import", plain, tmp_path / "out", "--extend-lexicon", path], "found it alone")
