"""Text without spaces between its words is told from text that was segmented, and from other scripts."""

import logging

import pytest

from fairseq_align.downstream import nli
from fairseq_align.text import bitext, corpus, subword, vocabulary
from fairseq_align.text.corpus import Cleaning
from fairseq_align.text.encoder import TextEncoder
from fairseq_align.text.unspaced import Watch

UNSPACED = {
    "zh": "我们昨天在学校的图书馆里看了很多有意思的书。今天下午他们要去北京参加一个重要的国际会议。",
    "ja": "私たちは昨日学校の図書館でたくさんの面白い本を読みました。今日の午後彼らは東京へ行きます。",
    "th": "เมื่อวานนี้พวกเราอ่านหนังสือที่น่าสนใจมากมายในห้องสมุดของโรงเรียน วันนี้ตอนบ่ายพวกเขาจะไปกรุงเทพ",
    "km": "ម្សិលមិញយើងបានអានសៀវភៅគួរឱ្យចាប់អារម្មណ៍ជាច្រើននៅក្នុងបណ្ណាល័យរបស់សាលា",
}
SPACED = {
    "zh": "我们 昨天 在 学校 的 图书馆 里 看 了 很多 有意思 的 书 。 克里斯托弗 要 去 北京",
    "ja": "私 たち は 昨日 学校 の 図書館 で アイスクリーム を 食べ まし た 。",
    "th": "เมื่อวานนี้ พวกเรา อ่าน หนังสือ ที่ น่าสนใจ มากมาย ใน ห้องสมุด ของ โรงเรียน",
    "ko": "우리는 어제 학교 도서관에서 재미있는 책을 많이 읽었습니다 .",
    "de": "Donaudampfschifffahrtsgesellschaftskapitän und Rindfleischetikettierungsgesetz",
    "my": "မြန်မာ နိုင်ငံ သည် ကောင်း သည် ။",
    "en": "He said 你好 to them , and 謝謝 .",
}


@pytest.mark.parametrize("lang", UNSPACED)
def test_text_without_spaces_is_found(lang):
    watch = Watch()
    for sentence in Cleaning(lang).sentences(UNSPACED[lang]):
        watch.see(sentence)
    assert watch.is_unspaced and watch.longest in UNSPACED[lang] and len(watch.longest) > 8


@pytest.mark.parametrize("lang", SPACED)
def test_text_with_spaces_is_left_alone(lang):
    watch = Watch()
    watch.see(SPACED[lang])
    assert not watch.is_unspaced


def test_a_corpus_and_parallel_text_say_what_to_do(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    chinese, words = tmp_path / "zh.txt", tmp_path / "words.txt"
    chinese.write_text(UNSPACED["zh"] + "\n", encoding="utf-8")
    words.write_text(SPACED["zh"] + "\n", encoding="utf-8")
    corpus.build([(words, True)], tmp_path / "good", Cleaning("zh"), 0, 0, 1)
    (tmp_path / "a.tsv").write_text(f"We read.\t{SPACED['zh']}\n", encoding="utf-8")
    bitext.build([(tmp_path / "a.tsv", (1, 2))], (tmp_path / "en", tmp_path / "zh"), ("en", "zh"))
    assert not caplog.records
    corpus.build([(chinese, False)], tmp_path / "bad", Cleaning("zh"), 0, 0, 1)
    (tmp_path / "a.tsv").write_text(f"We read.\t{UNSPACED['zh']}\n", encoding="utf-8")
    bitext.build([(tmp_path / "a.tsv", (1, 2))], (tmp_path / "en", tmp_path / "zh"), ("en", "zh"))
    places = [record.getMessage().partition(": found words such as 我们昨天")[0] for record in caplog.records]
    assert places == [str(tmp_path / "bad"), str(tmp_path / "zh")]
    assert "segment the text first, see Text without spaces in docs/data.md" in caplog.text


def test_pairs_of_sentences_say_what_to_do(tmp_path, caplog):
    (tmp_path / "text").write_text(f"{SPACED['zh']}\n{UNSPACED['zh']}\n" * 20, encoding="utf-8")
    dictionary = subword.train([tmp_path / "text"], tmp_path, 50, character_coverage=1)
    processor, labels = subword.load(tmp_path / "spm.model"), vocabulary.of_symbols(nli.LABELS)
    for text, tokenized, warnings in ((SPACED["zh"], True, 0), (UNSPACED["zh"], False, 1)):
        encode = TextEncoder(processor, dictionary, "zh", tokenized)
        nli.binarize([nli.Pair(text, text, "neutral")], tmp_path / "xnli", "test_zh", encode, labels, 512)
        assert len(caplog.records) == warnings
    assert f"{tmp_path}/xnli/test_zh: found words such as" in caplog.text
