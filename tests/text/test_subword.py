import io
import re
import runpy
import sys
from pathlib import Path

import pytest
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from sentencepiece.sentencepiece_model_pb2 import ModelProto

from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.normalise import normalise

ROOT = Path(__file__).parents[2]
LETTERS = "abcdeé"
TOY_WORDS = st.text(LETTERS + "s.漢ー½´", min_size=1, max_size=6)
ANY_WORDS = st.text(min_size=1, max_size=4).filter(lambda word: word.split() == [word])


def toy_text() -> list[str]:
    """Sentences of all words of up to three letters, one word and its mirror image each."""
    words = [a + b + c for a in LETTERS for b in ["", *LETTERS] for c in ["", *LETTERS]]
    return [f"{word} {word[::-1]}s ." for word in words]


def train(tmp_path: Path, lines: list[str], name: str = "spm", **arguments) -> Path:
    text = tmp_path / f"{name}.txt"
    text.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    arguments = {"vocab_size": 40, "character_coverage": 1.0} | arguments
    subword.train([text], tmp_path / name, **arguments)
    return tmp_path / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return train(tmp_path_factory.mktemp("toy"), toy_text())


@pytest.fixture(scope="module")
def processor(folder) -> SentencePieceProcessor:
    return subword.load(folder / "spm.model")


@pytest.mark.parametrize("model_type", subword.MODEL_TYPES)
def test_fairseq_id_is_piece_id_plus_one(tmp_path, model_type):
    folder = train(tmp_path, toy_text(), model_type=model_type)
    processor, dictionary = subword.load(folder / "spm.model"), Dictionary.load(str(folder / "dict.txt"))
    assert len(processor) == 40 and len(dictionary) == 41
    assert [dictionary.index(processor.id_to_piece(i)) for i in range(3, 40)] == list(range(4, 41))
    # <unk> <s> </s> at 0, 1, 2 there; <s> <pad> </s> <unk> at 0 to 3 here
    assert [dictionary.index(processor.id_to_piece(i)) for i in range(3)] == [3, 0, 2]
    assert (folder / "dict.txt").read_text().split("\n")[0] == f"{processor.id_to_piece(3)} 1"


def test_a_model_in_lower_case_reads_capitals_as_small_letters(tmp_path):
    lower, as_is = (subword.load(train(tmp_path, toy_text(), name, lower_case=name == "lower") / "spm.model")
                    for name in ("lower", "as_is"))  # fmt: skip
    word = toy_text()[0].split()[0]
    assert lower.encode(word.upper()) == lower.encode(word) == as_is.encode(word)
    assert as_is.encode(word.upper()) != as_is.encode(word)


@pytest.mark.parametrize("model_type", subword.MODEL_TYPES)
def test_training_twice_gives_the_same_bytes(tmp_path, model_type):
    one, two = (train(tmp_path, toy_text(), name, model_type=model_type) for name in ("one", "two"))
    for name in ("spm.model", "dict.txt"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_the_sample_is_drawn_by_the_seed():
    lines = [str(n) for n in range(1000)]
    assert subword.sample(lines, 0, seed=1) == lines
    assert subword.sample(lines, 1000, seed=1) == lines
    sample = subword.sample(lines, 100, seed=1)
    assert len(set(sample)) == 100
    assert sample == subword.sample(iter(lines), 100, seed=1) != subword.sample(lines, 100, seed=2)
    # uniform over 0..999: mean 499.5, standard error of the mean of 100 of them 27.4
    assert sum(map(int, sample)) / 100 == pytest.approx(499.5, abs=4 * 27.4)


def test_symbols_of_fairseq_never_become_pieces(tmp_path):
    # without white space in pieces the mark of fairseq's dictionaries has no effect
    lines = [f"{line[:2]}<pad>{line} <mask> <s> a</s> <unk> #fairseq:overwrite" for line in toy_text()]
    dictionary = Dictionary.load(str(train(tmp_path, lines, vocab_size=60) / "dict.txt"))
    assert not subword.RESERVED.intersection(vocabulary.pieces(dictionary))
    assert [symbol for symbol in dictionary.symbols if "#" in symbol]
    assert len(dictionary) == 61


def test_the_dictionary_survives_any_white_space_in_the_text(tmp_path):
    folder = train(tmp_path, [line.replace(" ", "\u2028\u0085\u00a0\x1c") for line in toy_text()])
    processor, dictionary = subword.load(folder / "spm.model"), Dictionary.load(str(folder / "dict.txt"))
    assert vocabulary.pieces(dictionary) == subword.pieces(processor)


def test_the_folder_to_write_may_be_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(train(tmp_path, toy_text()))
    expected = Path("dict.txt").read_bytes()
    subword.train(["../spm.txt"], ".", vocab_size=40, character_coverage=1.0)
    assert Path("dict.txt").read_bytes() == expected
    assert sorted(path.name for path in Path().iterdir()) == ["dict.txt", "spm.model"]


def test_a_reserved_piece_of_a_foreign_model_is_refused():
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(toy_text()),
        model_writer=model,
        vocab_size=40,
        user_defined_symbols=["<pad>"],
        minloglevel=2,
    )
    with pytest.raises(InputError, match="found piece '<pad>'.*remove it from the text"):
        subword.to_dictionary(SentencePieceProcessor(model_proto=model.getvalue()))


def test_a_piece_may_hold_any_white_space_but_what_separates_symbols(folder, tmp_path):
    """XLM-R has the piece U+0085; a space or an end of line in a symbol would break dict.txt."""
    proto = ModelProto.FromString((folder / "spm.model").read_bytes())
    white = [chr(code) for code in range(0x110000) if chr(code).isspace()]
    kept = [char for char in white if char not in " \n\r"]
    assert len(white) == len(kept) + 3 and {"\u0085", "\u2028", "\u3000", "\t"} <= set(kept)
    for piece in [*kept, "\u00ad", "\u2581\u0085\u3000"]:
        proto.pieces.add(piece=piece, score=-9.0)
    dictionary = subword.to_dictionary(SentencePieceProcessor(model_proto=proto.SerializeToString()))
    vocabulary.save(dictionary, tmp_path / "dict.txt")
    for read in (vocabulary.load(tmp_path / "dict.txt"), Dictionary.load(str(tmp_path / "dict.txt"))):
        assert read.symbols == dictionary.symbols and read.count == dictionary.count
    assert [dictionary.symbols[index] for index in range(41, 41 + len(kept))] == kept
    for piece in ("a b", "a\n", "\r"):
        broken = ModelProto.FromString(proto.SerializeToString())
        broken.pieces.add(piece=piece, score=-9.0)
        with pytest.raises(InputError, match="found piece .*expected no space, no end of line"):
            subword.to_dictionary(SentencePieceProcessor(model_proto=broken.SerializeToString()))


@given(words=st.lists(st.one_of(TOY_WORDS, ANY_WORDS), max_size=8))
def test_words_joined_are_the_encoding_of_the_sentence(processor, words):
    found = subword.encode_words(processor, words)
    assert [piece for word in found for piece in word] == [
        processor.id_to_piece(index) for index in processor.encode(" ".join(words))
    ]
    assert all(word[0].startswith(vocabulary.WORD_START) for word in found if word)
    assert ["\u2581"] not in found


def test_text_holds_symbols_of_the_dictionary_alone(processor):
    assert subword.encode_words(processor, ["漢字", "<unk>"]) == [["\u2581", "<unk>"], ["<unk>"]]


@pytest.mark.parametrize("word", ["", " ", "\u2581", "\u200b", "\u00a0", "\x07"])
def test_a_word_that_normalisation_erases_gives_no_piece(processor, word):
    before, erased, after = subword.encode_words(processor, ["ab", word, "ab"])
    assert "".join(before) == "".join(after) == "\u2581ab"
    assert erased == []


def test_a_word_with_a_space_inside_gives_the_pieces_of_its_parts(processor):
    (whole,) = subword.encode_words(processor, ["ab ba"])
    assert whole == sum(subword.encode_words(processor, ["ab", "ba"]), [])


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "spm.model"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"spm.model: found no .*expected .*fairseq-align subword train"):
        subword.load(path)


def test_a_model_with_other_special_ids_is_refused(tmp_path):
    ids = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    prefix = str(tmp_path / "t5")
    SentencePieceTrainer.train(
        sentence_iterator=iter(toy_text()), model_prefix=prefix, vocab_size=40, minloglevel=2, **ids
    )
    with pytest.raises(InputError, match="found first pieces <pad> </s> <unk>, expected <unk> <s> </s>"):
        subword.load(tmp_path / "t5.model")


@pytest.mark.parametrize(
    ("setting", "found"),
    [({"add_dummy_prefix": False}, "'a'"), ({"treat_whitespace_as_suffix": True}, "'a▁'")],
    ids=["no dummy prefix", "white space as suffix"],
)
def test_a_model_whose_words_do_not_begin_with_their_mark_is_refused(tmp_path, setting, found):
    prefix = str(tmp_path / "other")
    SentencePieceTrainer.train(
        sentence_iterator=iter(toy_text()), model_prefix=prefix, vocab_size=40, minloglevel=2, **setting
    )
    with pytest.raises(InputError, match=f"other.model: found the word a as {found}, expected '▁a'"):
        subword.load(tmp_path / "other.model")


def test_long_lines_are_learnt_from_to_their_last_word(tmp_path, caplog):
    """SentencePiece itself passes over lines of more than 1 MiB, and its time grows with the square of their length."""
    line = "ab " * 400_000 + "漢字"
    folder = train(tmp_path, [*toy_text(), line, "x" * 20_000, "ab " + "y" * 20_000 + " né"], vocab_size=60)
    known = set("".join(vocabulary.pieces(vocabulary.load(folder / "dict.txt"))))
    assert {"漢", "字", "n"} < known and not {"x", "y"} & known
    path = tmp_path / "spm.txt"
    assert caplog.messages == [
        f"{path}:296: left out a word of 20,000 bytes, more than SentencePiece learns from",
        f"{path}:297: left out a word of 20,000 bytes, more than SentencePiece learns from",
        f"{path}: found 3 lines of more than 16,384 bytes, expected a sentence a line; learnt from in parts",
    ]


@given(st.lists(st.sampled_from(["a" * 5000, "é" * 5000, "b", "c" * 16_383, "d" * 16_384])))
def test_the_parts_of_a_line_are_its_words_in_their_order(words):
    parts = list(subword.parts("text:1", " ".join(words))) if words else []
    assert " ".join(parts).split() == words
    assert all(0 < len(part.encode()) <= subword.LONGEST for part in parts)


@pytest.mark.parametrize(
    ("vocab_size", "lines", "message"),
    [
        (4000, toy_text(), "too high.*<= "),
        (8, toy_text(), "smaller than required_chars"),
        (40, ["", " "], "found no sentence"),
    ],
    ids=["too large", "too small", "empty"],
)
def test_text_that_does_not_fit_the_vocabulary_is_an_error_that_leaves_nothing(tmp_path, vocab_size, lines, message):
    with pytest.raises(InputError, match=message):
        train(tmp_path, lines, vocab_size=vocab_size)
    assert not (tmp_path / "spm").exists()


def test_the_script_trains_applies_and_feeds_fairseq(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join([*toy_text(), "", "ab \u2028 <unk> 漢"]) + "\n", encoding="utf-8")
    script = ["python", "preprocess/subword.py"]
    flags = ["--input", text, "--vocab-size", "40", "--out", tmp_path / "spm"]
    shown = run([*script, "train", *flags]).stdout
    assert shown.endswith("dict.txt: 37 pieces, 41 with specials\n")
    flags = ["--model", tmp_path / "spm" / "spm.model", "--input", text, "--output", tmp_path / "text.sp"]
    shown = run([*script, "apply", *flags]).stdout
    sentences = (tmp_path / "text.sp").read_text().removesuffix("\n").split("\n")
    processor, dictionary = (
        subword.load(tmp_path / "spm" / "spm.model"),
        Dictionary.load(str(tmp_path / "spm" / "dict.txt")),
    )
    # a word "ab", a symbol <unk>, and a word of unknown characters: U+2581 and <unk>
    *start, last = subword.encode_words(processor, ["ab", "<unk>", "漢"])
    assert sentences[-2:] == ["", " ".join(sum(start, []) + last)]
    assert last == ["\u2581", "<unk>"]
    assert "296 sentences, 885 words" in shown  # 6 * 7 * 7 toy sentences of three words, and 0 + 3 words
    ids = dictionary.encode_line(sentences[0], add_if_not_exist=False, append_eos=False).tolist()
    assert ids == [index + 1 for index in processor.encode(toy_text()[0])]


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (
            ["apply", "--model", "none.model", "--input", "a", "--output", "b"],
            "none.model: found no file.*fairseq-align subword train",
        ),
        (["train", "--input", "none.txt", "--vocab-size", "9", "--out", "spm"], "none.txt: found .*No such file"),
    ],
)
def test_the_script_says_what_to_mend(tmp_path, monkeypatch, capsys, flags, advice):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["subword.py", *flags])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "preprocess" / "subword.py"), run_name="__main__")
    assert end.value.code == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and shown.count("\n") == 1
    assert re.search(advice, shown)


def test_real_sentences_are_encoded_alike_word_by_word(data_dir, tmp_path):
    path = data_dir / "text" / "hi.wikipedia-mlqa.txt"
    lines = [normalise(line) for _, line in read_lines(path)]
    processor = subword.load(train(tmp_path, lines, vocab_size=1000, character_coverage=0.999) / "spm.model")
    for line in lines:
        joined = [piece for word in subword.encode_words(processor, line.split()) for piece in word]
        assert joined == [processor.id_to_piece(index) for index in processor.encode(line)]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"character_coverage": 1.5}, "--character-coverage: found 1.5, expected a number from 0.98 to 1; change it"),
        ({"character_coverage": 0.9}, "--character-coverage: found 0.9, expected a number from 0.98 to 1; change it"),
        (
            {"character_coverage": float("nan")},
            "--character-coverage: found nan, expected a number from 0.98 to 1; change it",
        ),
        ({"vocab_size": 0}, "--vocab-size: found 0, expected a number from 4 to 10000000; change it"),
        ({"input_sentences": -1}, "--input-sentences: found -1, expected a number of at least 0; change it"),
        ({"vocab_size": 9}, r"--vocab-size 9: found that it does not fit the text \(Vocabulary size is smaller than"),
        (
            {"vocab_size": 999},
            r"--vocab-size 999: .* \(Vocabulary size too high \(999\). Please set it to a value",
        ),
    ],
)
def test_a_setting_out_of_its_range_is_named(tmp_path, setting, message):
    """By its own flag, before SentencePiece says something else or nothing."""
    (tmp_path / "a.txt").write_text("the cat sat down\n" * 20)
    with pytest.raises(InputError, match=message) as error:
        subword.train([tmp_path / "a.txt"], tmp_path / "spm", **{"vocab_size": 15} | setting)
    assert "()" not in str(error.value) and not (tmp_path / "spm" / "spm.model").exists()


def test_data_keep_the_model_that_segmented_them_and_refuse_another(tmp_path):
    one, other, folder = tmp_path / "one.model", tmp_path / "other.model", tmp_path / "pos-bin"
    one.write_bytes(b"one")
    other.write_bytes(b"other")
    assert subword.beside(folder) is None
    for _ in range(2):  # a second language of the same model
        subword.install(one, folder)
        assert subword.beside(folder).read_bytes() == b"one"
    with pytest.raises(InputError, match="spm.model: found another SentencePiece model than .*other.model, expected"):
        subword.install(other, folder)
    assert [path.name for path in folder.iterdir()] == ["spm.model"]
