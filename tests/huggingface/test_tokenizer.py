import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.huggingface import tokenizer
from fairseq_align.text import corpus, subword, vocabulary
from fairseq_align.text.encoder import TextEncoder
from tests.huggingface.models import LANGS, xnli_test


def test_ids_are_ours_on_every_line_of_xnli(natural, data_dir):
    """Tokenised as preprocess/xnli.py does, and as the files have it."""
    dictionary = vocabulary.double(vocabulary.load(natural / "dict.txt"))
    dictionary.add_symbol(vocabulary.MASK)
    fast = tokenizer.build((natural / "spm.model").read_bytes(), dictionary, "spm.model")
    processor = subword.load(natural / "spm.model")
    for lang in LANGS:
        raw = xnli_test(data_dir, lang)
        assert len(raw) > 5000
        cleaning = corpus.Cleaning(lang, split=False)
        texts = [" ".join(cleaning.sentences(text)) for text in raw] + raw
        encode = TextEncoder(processor, dictionary, lang, tokenized=True)
        found = [encoding.ids for encoding in fast.encode_batch(texts)]
        assert found == [[0, *encode(text), 2] for text in texts]
        assert 0 < sum(ids.count(dictionary.unk()) for ids in found) < 0.01 * sum(map(len, found))


ODD = "\u200b\u2581\u0301\u00a0\u00a8\ufb01\u0915\u094d\u0300\u3000\x1c\x07\ufeff\u2126e\u00e9\U0001f600ba ti~\n\t"
ODD += "\u0628\u0651\u064e\u0653\u0627\u0323\u0302"  # marks that NFC puts in order, and those it composes


@given(st.text(st.sampled_from(ODD) | st.characters(codec="utf-8"), max_size=20))
def test_ids_are_ours_on_any_text(spm, text):
    """But for text that spells a special symbol."""
    dictionary = vocabulary.double(vocabulary.load(spm / "dict.txt"))
    fast = tokenizer.build((spm / "spm.model").read_bytes(), dictionary, "spm.model")
    ours = TextEncoder(subword.load(spm / "spm.model"), dictionary, "en", tokenized=True)(text)
    assert fast.encode(text, add_special_tokens=False).ids == ours


def test_a_longer_new_piece_wins_over_two_shorter_ones(spm):
    """All three save pieces; each scores more by what it saves, so the longest saves the most."""
    model = (spm / "spm.model").read_bytes()
    word = "bagolune"
    new = [f"\u2581{word}", f"\u2581{word[:4]}", word[4:]]
    after = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.extend(model, new, "pieces.txt").model)
    assert subword.encode_words(after, [word, word[:4]]) == [[new[0]], [new[1]]]
