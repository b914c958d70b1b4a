import re
import runpy
import sys
from pathlib import Path

import pytest
from fairseq.data import Dictionary, data_utils

from fairseq_align.data import binarized
from fairseq_align.downstream import conllu, tagging
from fairseq_align.text import subword, vocabulary
from tests.conftest import run_command
from tests.support.conllu import FRENCH, row, write

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "preprocess" / "tagging.py"


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
        == b"".join(f"{tag} 1\n".encode() for tag in conllu.UPOS)
    )
    assert list(conllu.UPOS) == sorted(conllu.UPOS) and len(conllu.UPOS) == 17
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
        ({"model": "none.model"}, "none.model: found no file.*fairseq-align subword train"),
        ({"columns": "2,3"}, "--columns: found them for treebanks, .* expected --task ner; leave it out"),
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
def test_real_treebanks_keep_every_word_and_label(model, data_dir, tmp_path, name, sentences):
    path = data_dir / "ud" / name
    processor, dictionary = subword.load(model / "spm.model"), vocabulary.load(model / "dict.txt")
    labels = tagging.label_dictionary("pos")
    pairs = [conllu.words_and_tags(sentence) for sentence in conllu.read(path)]
    counts = tagging.binarize(pairs, tmp_path / "dev", processor, dictionary, labels)
    tokens, marks = binarized.read(tmp_path / "dev"), binarized.read(tmp_path / "dev.label")
    assert counts["sentences"] == len(tokens.sizes) == sentences
    assert (tokens.sizes == marks.sizes).all()
    assert (tokens.tokens[tokens.offsets[1:] - 1] == dictionary.eos()).all()
    found = [labels[mark] for mark in marks.tokens if mark != labels.pad()]
    assert found == [tag for _, tags in pairs for tag in tags]
