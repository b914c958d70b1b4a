"""A part of a vocabulary is kept: the texts are written as before, and the whole model comes back."""

import gzip
import os

import pytest
import torch

from fairseq_align.huggingface import epsilon, keep, pretrained
from fairseq_align.huggingface.architecture import OF_VOCABULARY
from fairseq_align.text import subword, vocabulary
from tests.huggingface.models import export, imported, refused, safetensors, sentences

TABLE = OF_VOCABULARY[0]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """The first words of the language: as text, as a treebank, as a table."""
    folder = tmp_path_factory.mktemp("texts")
    words = list(dict.fromkeys(" ".join(sentences(30)).split()))[:9]
    (folder / "text.txt").write_text(" ".join(words[:3]).upper() + "\n" + " ".join(words[:3]), encoding="utf-8")
    rows = "".join(f"{number}\t{word}\tlemma{number}\t_\n" for number, word in enumerate(words[3:6], 1))
    (folder / "bank.conllu").write_text(f"# text = xyz\n{rows}\n", encoding="utf-8")
    with gzip.open(folder / "words.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("\t".join(words[6:]) + "\n")
    return words, [folder / name for name in ("text.txt", "bank.conllu", "words.tsv.gz")]


@pytest.fixture(scope="module")
def kept(plain, texts, tmp_path_factory):
    """The whole model, and that of the texts, both imported."""
    folder = tmp_path_factory.mktemp("kept")
    whole = imported(plain, folder / "whole")
    part = imported(plain, folder / "part", "--keep-vocab", *texts[1])
    return folder, whole, part


def test_texts_are_written_as_before_and_rows_are_theirs(kept, texts, spm):
    folder, whole, part = kept
    before, after = (subword.load(path / "spm.model") for path in (spm, folder / "part"))
    words = [form for word in texts[0] for form in (word, word.lower())]
    assert subword.encode_words(after, words) == subword.encode_words(before, words)
    full, small = (vocabulary.load(folder / name / "dict.txt") for name in ("whole", "part"))
    assert 4 < len(small) < len(full) - 10
    rows = [full.index(symbol) for symbol in small.symbols] + [len(full)]  # <mask> is the last row
    for name, tensor in part["model"].items():
        expected = whole["model"][name]
        assert torch.equal(tensor, expected[rows] if name in OF_VOCABULARY else expected), name
    assert {piece for piece in full.symbols if len(piece.removeprefix("\u2581")) == 1} <= set(small.symbols)
    needed = {piece for word in subword.encode_words(before, words) for piece in word}
    others = [piece for piece in small.symbols[4:] if len(piece.removeprefix("\u2581")) > 1 and piece not in needed]
    scores = {piece: before.get_score(before.piece_to_id(piece)) for piece in full.symbols[4:]}
    assert len(others) <= 1 and all(scores[piece] == min(scores.values()) for piece in others)
    # a character that no piece has costs what it did
    odd = [f"{word}\u014b" for word in texts[0]]
    assert (
        subword.encode_words(after, odd)
        == [[*pieces, "<unk>"] for pieces in subword.encode_words(before, texts[0])]
        == subword.encode_words(before, odd)
    )


def test_states_of_kept_rows_are_those_of_the_whole_model(plain, texts):
    whole = pretrained.read(plain)
    part = keep.keep(whole, texts[1])
    ids = torch.tensor([[0, *range(4, len(part.dictionary), 3), 2]])[:, :30]
    same = torch.tensor([[whole.dictionary.index(part.dictionary[index]) for index in ids[0]]])
    found, expected = (epsilon.states(model.model, tokens, 1e-5) for model, tokens in ((part, ids), (whole, same)))
    assert not torch.equal(ids, same) and torch.allclose(found, expected, atol=1e-5)


def test_the_whole_vocabulary_comes_back_with_what_was_trained(kept, plain, tmp_path):
    folder, _, _ = kept
    state = torch.load(folder / "part" / "model.pt", weights_only=True)
    state["model"][TABLE] = state["model"][TABLE] + 1  # as if it had been trained
    state["model"]["encoder.lm_head.weight"] = state["model"][TABLE]
    (tmp_path / "trained").mkdir()
    for name in ("dict.txt", "spm.model"):
        os.link(folder / "part" / name, tmp_path / "trained" / name)
    torch.save(state, tmp_path / "trained" / "model.pt")
    flags = ["--data", tmp_path / "trained", "--full-vocab", plain]
    spm = folder / "part"
    untouched = export(folder / "part" / "model.pt", tmp_path / "untouched", spm, "--data", spm, "--full-vocab", plain)
    trained = export(tmp_path / "trained" / "model.pt", tmp_path / "out", spm, *flags)
    weights = [safetensors.load_file(path / "model.safetensors") for path in (plain, untouched, trained)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    name = "roberta.embeddings.word_embeddings.weight"
    full, small = (vocabulary.load(folder / part / "dict.txt") for part in ("whole", "part"))
    moved = (weights[2][name] != weights[0][name]).any(dim=1).nonzero().flatten().tolist()
    assert moved == sorted([full.index(symbol) for symbol in small.symbols] + [len(full)])
    assert torch.equal(weights[2][name][moved], weights[0][name][moved] + 1)
    assert (untouched / "tokenizer.json").read_text() == (plain / "tokenizer.json").read_text()
    again = pretrained.read(untouched)
    assert again.dictionary.symbols == full.symbols


def test_what_cannot_be_kept_or_restored_is_refused(kept, plain, texts, tmp_path, capsys):
    folder, _, _ = kept
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    command = ["import", plain, tmp_path / "out", "--keep-vocab"]
    refused(capsys, tmp_path, [*command, tmp_path / "latin"], "latin:1: found byte 0xe9, expected UTF-8")
    refused(capsys, tmp_path, [*command, tmp_path / "none"], "none: found No such file")
    command = ["export", folder / "whole" / "model.pt", tmp_path / "out", "--model", folder / "whole" / "spm.model"]
    command += ["--data", folder / "whole", "--full-vocab", folder / "part"]
    refused(capsys, tmp_path, command, "part: found no symbol .* expected all of the checkpoint")


def test_letters_of_other_scripts_go_and_other_characters_stay():
    needed = keep._needed_characters(
        {"maison", "\u0939\u093f\u0928\u094d\u0926\u0940"} | {"caf\u00e9"} | {"a" * 3000 + "\u4e2d"}
    )
    assert all(map(needed, ["", "z", "\u00df", "\u0939", "\u094d", "\u4e2d", "7", "\u3002", "\U0001f600"]))
    assert not any(map(needed, ["\u6587", "\u0436", "\u05d0", "ab"]))


def test_real_texts_are_written_as_before(natural, data_dir, tmp_path):
    """Every line of text, treebank and dictionary that is named, in the pieces of the whole model."""
    paths = [data_dir / "xnli" / "xnli-test-fr.tsv", data_dir / "ud" / "fr_sequoia-ud-test.conllu"]
    paths += [data_dir / "dictionaries" / "en-hi.muse.test.txt"]
    whole = subword.load(natural / "spm.model")
    dictionary = subword.to_dictionary(whole)
    from dataclasses import replace

    from tests.huggingface.models import TINY, random_model

    model = random_model(replace(TINY, vocabulary=len(dictionary) + 1))
    old = pretrained.Pretrained(model, dictionary, (natural / "spm.model").read_bytes())
    part = keep.keep(old, paths)
    processor = pretrained.processor_of(part.pieces)
    assert len(part.dictionary) < len(dictionary)
    for path in paths:
        words = [form for word in set(keep.words(path)) for form in (word, word.lower())]
        assert subword.encode_words(processor, words) == subword.encode_words(whole, words)
