import gzip
import os
import re
import runpy
import sys
from pathlib import Path

import conllu
import pytest
from fairseq.data import Dictionary, data_utils

from fairseq_align.data import binarized
from fairseq_align.downstream import tagging as treebank
from fairseq_align.errors import InputError
from fairseq_align.text import subword, vocabulary
from tests.conftest import run_command

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "preprocess" / "tagging.py"
DATA = Path(os.environ.get("FAIRSEQ_ALIGN_DATA", ROOT.parent / "shared" / "data"))


def row(number: str, form: str, tag: str, *others: str) -> str:
    """A line of CoNLL-U with ``others`` in the columns from XPOS on."""
    columns = [number, form, "_", tag, *others]
    return "\t".join(columns + ["_"] * (10 - len(columns)))


# "Du thé" with the multiword token du = de le, an empty node, a decomposed é and a comment between sentences
FRENCH = [
    "# sent_id = 1",
    row("1-2", "Du", "_"),
    row("1", "de", "ADP"),
    row("2", "le", "DET", "_", "Gender=Masc|Number=Sing", "3", "det"),
    row("3", "the\u0301", "NOUN"),
    row("3.1", "est", "AUX"),
    "",
    "",
    "# newpar",
    "",
    "# sent_id = 2",
    row("1", "50 000", "NUM"),
    row("2", "\u200b", "X"),
    row("3", ".", "PUNCT"),
]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Folder of a model that knows the letters of ``FRENCH``; few pieces, so that words have several."""
    folder = tmp_path_factory.mktemp("spm")
    write(folder / "text", ["de le thé est 50 000 .", "le thé de l' été", "des thés zélés , ad lib"] * 3)
    subword.train([folder / "text"], folder, vocab_size=24, character_coverage=1.0)
    return folder


def flags(folder: Path, out: Path, **others: Path | str) -> list[str]:
    given = {"model": folder / "spm.model", "dict": folder / "dict.txt", "lang": "fr", "out": out} | others
    return [text for name, value in given.items() for text in (f"--{name}", str(value))]


def run(monkeypatch, arguments: list[str]) -> int:
    monkeypatch.setattr(sys, "argv", ["tagging.py", *arguments])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return end.value.code


def items(prefix: Path) -> list[list[int]]:
    """Items of a binarized file, read by fairseq."""
    dataset = data_utils.load_indexed_dataset(str(prefix), None)
    return [dataset[index].tolist() for index in range(len(dataset))]


def test_sentences_know_their_lines_and_keep_every_kind_of_token(tmp_path):
    first, second = treebank.read(write(tmp_path / "a.conllu", FRENCH))
    assert isinstance(first, conllu.TokenList)
    assert first.lines == [2, 3, 4, 5, 6] and second.lines == [12, 13, 14]
    assert [token["id"] for token in first] == [(1, "-", 2), 1, 2, 3, (3, ".", 1)]
    assert first[2]["feats"] == {"Gender": "Masc", "Number": "Sing"} and first[2]["head"] == 3
    assert first.metadata == {"sent_id": "1"} and second.metadata == {"sent_id": "2"}


def test_syntactic_words_are_the_tokens(tmp_path):
    first, second = treebank.read(write(tmp_path / "a.conllu", FRENCH))
    assert treebank.words_and_tags(first) == (["de", "le", "thé"], ["ADP", "DET", "NOUN"])
    assert treebank.words_and_tags(second) == (["50 000", "\u200b", "."], ["NUM", "X", "PUNCT"])


def test_two_spaces_in_a_word_do_not_end_a_column(tmp_path):
    (sentence,) = treebank.read(write(tmp_path / "a.conllu", [row("1", "a  b\u00a0c", "X")]))
    assert treebank.words_and_tags(sentence) == (["a b c"], ["X"])


def test_reader_agrees_with_conllu_and_reads_gzip_and_carriage_returns(tmp_path):
    text = "\r\n".join(FRENCH)
    (tmp_path / "a.conllu.gz").write_bytes(gzip.compress(text.encode()))
    expected = [sentence for sentence in conllu.parse(text.replace("\r", "")) if sentence]
    assert [list(sentence) for sentence in treebank.read(tmp_path / "a.conllu.gz")] == [list(s) for s in expected]


BROKEN = [
    (["1\tle\tle\tDET"], "found 4 columns, expected 10 separated by tabs"),
    (["1 le _ DET _ _ _ _ _ _"], "found 1 columns"),
    ([row("1", "", "X")], "found an empty FORM"),
    ([row("one", "a", "X")], "found id 'one', expected a number"),
    ([row("2", "a", "X")], "found id 2, expected 1; number words from 1, an empty line ends a sentence"),
    ([row("1-1", "a", "_")], "found range 1-1"),
    ([row("1.1", "a", "_")], r"found empty node 1.1, expected 0.1"),
    ([row("1", "a", "X", "_", "_", "head")], "found a column that does not parse .*'head'.*; mend it"),
]


@pytest.mark.parametrize(("lines", "message"), BROKEN, ids=[message[6:20] for _, message in BROKEN])
def test_a_broken_line_is_named(tmp_path, lines, message):
    path = write(tmp_path / "bad.conllu", [*FRENCH, "", "# a comment", *lines])
    with pytest.raises(InputError, match=rf"bad.conllu:17: {message}"):
        list(treebank.read(path))


def test_a_forgotten_empty_line_is_named(tmp_path):
    path = write(tmp_path / "bad.conllu", [row("1", "a", "X"), row("1", "b", "X")])
    with pytest.raises(InputError, match="bad.conllu:2: found id 1, expected 2"):
        list(treebank.read(path))


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "bad.conllu").write_bytes(f"{row('1', 'a', 'X')}\n{row('2', 'é', 'X')}\n".encode("latin-1"))
    with pytest.raises(InputError, match="bad.conllu:2: found byte 0xe9, expected UTF-8"):
        list(treebank.read(tmp_path / "bad.conllu"))


@pytest.mark.parametrize("tag", ["_", "Noun", "N"])
def test_an_unknown_tag_is_named_with_its_word(tmp_path, tag):
    (sentence,) = treebank.read(write(tmp_path / "bad.conllu", ["# comment", row("1", "a", "X"), row("2", "b", tag)]))
    with pytest.raises(InputError, match=r"bad.conllu:3: found UPOS .* of 'b', expected one of ADJ .* X;"):
        treebank.words_and_tags(sentence)


def test_labels_stand_on_first_subwords_by_hand(model, tmp_path, monkeypatch):
    assert run(monkeypatch, flags(model, tmp_path, train=write(tmp_path / "a.conllu", FRENCH))) == 0
    processor, dictionary = subword.load(model / "spm.model"), Dictionary.load(str(model / "dict.txt"))
    de, le, the, number, stop = (
        [dictionary.index(p) for p in w] for w in subword.encode_words(processor, ["de", "le", "thé", "50 000", "."])
    )
    unk, eos, pad = 3, 2, 1
    tokens, labels = items(tmp_path / "fr" / "train"), items(tmp_path / "fr" / "train.label")
    assert tokens == [[*de, *le, *the, eos], [*number, unk, *stop, eos]]
    assert unk not in de + le + the + number + stop

    def on_first(label, word):  # alphabetical, from id 4: ADJ 4, ADP 5, ADV 6, AUX 7, CCONJ 8, DET 9, INTJ 10, ...
        return [label] + [pad] * (len(word) - 1)

    assert labels == [
        [*on_first(5, de), *on_first(9, le), *on_first(11, the), pad],
        [*on_first(12, number), 20, *on_first(16, stop), pad],
    ]


def test_labels_are_the_same_for_every_language(model, tmp_path, monkeypatch):
    run(monkeypatch, flags(model, tmp_path, train=write(tmp_path / "a.conllu", [row("1", "a", "X")])))
    first = (tmp_path / "label" / "dict.txt").read_bytes()
    run(monkeypatch, flags(model, tmp_path, lang="en", test=write(tmp_path / "b.conllu", FRENCH)))
    assert (
        (tmp_path / "label" / "dict.txt").read_bytes()
        == first
        == b"".join(f"{tag} 1\n".encode() for tag in treebank.UPOS)
    )
    assert list(treebank.UPOS) == sorted(treebank.UPOS) and len(treebank.UPOS) == 17
    assert (tmp_path / "dict.txt").read_bytes() == (model / "dict.txt").read_bytes()


def test_a_language_can_be_added_after_a_derivation(model, tmp_path, monkeypatch):
    file = write(tmp_path / "a.conllu", FRENCH)
    run(monkeypatch, flags(model, tmp_path, train=file))
    vocabulary.save(vocabulary.double(vocabulary.load(tmp_path / "dict.txt")), tmp_path / "dict.txt")
    doubled = (tmp_path / "dict.txt").read_bytes()
    assert run(monkeypatch, flags(model, tmp_path, lang="en", train=file)) == 0
    assert (tmp_path / "dict.txt").read_bytes() == doubled
    assert items(tmp_path / "en" / "train") == items(tmp_path / "fr" / "train")


@pytest.mark.parametrize("name", ["dict.txt", "label/dict.txt"])
def test_another_dictionary_in_the_folder_is_refused(model, tmp_path, monkeypatch, capsys, name):
    file = write(tmp_path / "a.conllu", FRENCH)
    (tmp_path / "out" / "label").mkdir(parents=True)
    write(tmp_path / "out" / name, ["other 1"])
    assert run(monkeypatch, flags(model, tmp_path / "out", train=file)) == 1
    assert re.search(f"out/{name}: found other symbols.*choose another --out", capsys.readouterr().err)
    assert not (tmp_path / "out" / "fr").exists()


def test_a_bad_treebank_leaves_no_data(model, tmp_path, monkeypatch, capsys):
    file = write(tmp_path / "bad.conllu", [*FRENCH, "", row("1", "a", "_")])
    assert run(monkeypatch, flags(model, tmp_path / "out", valid=file)) == 1
    shown = capsys.readouterr().err
    assert re.match("error: .*bad.conllu:16: found UPOS '_' of 'a'", shown) and shown.count("\n") == 1
    assert not list((tmp_path / "out").glob("fr/*"))


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        ({"dict": "none/dict.txt"}, "none/dict.txt: found no dictionary"),
        ({"model": "none.model"}, "none.model: found no file.*subword.py train"),
        ({"train": "none.conllu"}, "none.conllu: found .*No such file"),
        ({"dict": "small.txt"}, "small.txt: found no .* other pieces of the model.*of the same training"),
    ],
)
def test_the_script_says_what_to_mend(model, tmp_path, monkeypatch, capsys, changed, advice):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "small.txt", ["a 1"])
    arguments = flags(model, tmp_path / "out", **{"train": write(tmp_path / "a.conllu", FRENCH)} | changed)
    assert run(monkeypatch, arguments) == 1
    shown = capsys.readouterr().err
    assert re.match(f"error: {advice}", shown) and shown.count("\n") == 1


def test_no_treebank_at_all_is_an_error(model, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, flags(model, tmp_path)) == 1
    assert "expected --train, --valid or --test" in capsys.readouterr().err


def test_the_script_binarizes_and_counts(model, tmp_path):
    french = write(tmp_path / "a.conllu", FRENCH)
    shown = run_command(["python", "preprocess/tagging.py", *flags(model, tmp_path, test=french)]).stdout
    tokens = sum(map(len, items(tmp_path / "fr" / "test")))
    assert shown == f"fr test: 2 sentences, 6 words, {tokens} tokens, {100 / tokens:.3f} % <unk>\n"


# sentences as the table of the data counts them
@pytest.mark.parametrize(("name", "sentences"), [("en_ewt-ud-dev.conllu.gz", 2001), ("fr_sequoia-ud-dev.conllu", 412)])
def test_real_treebanks_keep_every_word_and_label(model, tmp_path, name, sentences):
    path = DATA / "ud" / name
    if not path.exists():
        pytest.skip(f"needs {path}; set FAIRSEQ_ALIGN_DATA")
    processor, dictionary = subword.load(model / "spm.model"), vocabulary.load(model / "dict.txt")
    labels = treebank.label_dictionary("pos")
    pairs = [treebank.words_and_tags(sentence) for sentence in treebank.read(path)]
    counts = treebank.binarize(pairs, tmp_path / "dev", processor, dictionary, labels)
    tokens, marks = binarized.read(tmp_path / "dev"), binarized.read(tmp_path / "dev.label")
    assert counts["sentences"] == len(tokens.sizes) == sentences
    assert (tokens.sizes == marks.sizes).all()
    assert (tokens.tokens[tokens.offsets[1:] - 1] == dictionary.eos()).all()
    found = [labels[mark] for mark in marks.tokens if mark != labels.pad()]
    assert found == [tag for _, tags in pairs for tag in tags]
