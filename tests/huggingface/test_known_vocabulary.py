"""A model, its dict.txt and its SentencePiece model stay together on the way to transformers and back."""

import hashlib
import json
import shutil

import pytest
import torch

from fairseq_align.huggingface.tokenizer import ModelProto
from fairseq_align.training import fingerprint
from tests.huggingface.models import TINY, export, imported, refused, save


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def pieces_of(path) -> list[str]:
    return [line.rsplit(" ", 1)[0] for line in path.read_text(encoding="utf-8").splitlines()]


def swap_symbols(path) -> None:
    """Exchange two symbols: the file stays as long, and means something else."""
    first, second, *rest = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([second, first, *rest]), encoding="utf-8")


def test_an_exported_folder_and_an_imported_checkpoint_have_the_checksums(spm, tmp_path):
    from fairseq_align.text import vocabulary

    checkpoint = save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt"))
    folder = export(checkpoint, tmp_path / "theirs", spm)
    symbols, model = sha("\n".join(pieces_of(spm / "dict.txt")).encode()), sha((spm / "spm.model").read_bytes())
    written = json.loads((folder / "config.json").read_text())["fairseq_align"]
    assert written == {"dict.txt": symbols, "SentencePiece": model, "pieces": len(pieces_of(spm / "dict.txt"))}
    made = fingerprint.read(imported(folder, tmp_path / "back"))
    assert made == {"vocabulary": {"dict.txt": symbols, "SentencePiece": model}}


def test_files_of_another_vocabulary_are_refused(spm, plain, tmp_path, capsys):
    imported(plain, tmp_path / "ours")
    capsys.readouterr()
    path, out = tmp_path / "ours" / "model.pt", tmp_path / "out"
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(tmp_path / "ours" / "dict.txt", other)
    swap_symbols(other / "dict.txt")
    words = ["export", path, out, "--model", spm / "spm.model"]
    refused(capsys, tmp_path, [*words, "--data", other], "found another vocabulary than that of its training, dict.txt")
    trained = torch.load(path, weights_only=True)
    trained["extra_state"][fingerprint.KEY]["vocabulary"]["SentencePiece"] = "0123456789ab"
    torch.save(trained, path)
    refused(capsys, tmp_path, words, "found another vocabulary than that of its training, SentencePiece 0123456789ab")


@pytest.fixture
def exported(spm, tmp_path, capsys):
    from fairseq_align.text import vocabulary

    folder = export(save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt")), tmp_path / "theirs", spm)
    capsys.readouterr()
    return folder


def change_sums(folder, change) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["fairseq_align"] = change(config["fairseq_align"])
    (folder / "config.json").write_text(json.dumps(config))


def test_an_exported_folder_whose_files_were_exchanged_is_refused(exported, tmp_path, capsys):
    change_sums(exported, lambda sums: sums | {"dict.txt": "0123456789ab"})
    words = ["import", exported, tmp_path / "out"]
    refused(capsys, tmp_path, words, "expected 0123456789ab, which config.json names")


def test_an_exported_folder_with_another_sentencepiece_model_of_the_same_pieces_is_refused(exported, tmp_path, capsys):
    """Other scores of the same pieces segment otherwise; dict.txt does not show it."""
    path = exported / "sentencepiece.bpe.model"
    before, proto = sha(path.read_bytes()), ModelProto.FromString(path.read_bytes())
    for piece in proto.pieces[3:]:
        piece.score *= 2
    path.write_bytes(proto.SerializeToString())
    words = ["import", exported, tmp_path / "out"]
    expected = f"found a tokenizer of SentencePiece {sha(path.read_bytes())}, expected {before}, which config.json"
    refused(capsys, tmp_path, words, expected)


def test_an_exported_folder_without_checksums_is_taken_with_a_line(exported, tmp_path, caplog):
    """Of an earlier version, or changed by hand."""
    imported(exported, tmp_path / "out")
    assert not caplog.records
    model = sha((exported / "sentencepiece.bpe.model").read_bytes())
    for number, sums in enumerate([None, [1], {}, {"SentencePiece": model}]):
        change_sums(exported, lambda _, sums=sums: sums)
        imported(exported, tmp_path / f"out{number}")
        (line,) = caplog.messages
        assert line.endswith("config.json has no checksum of dict.txt: whether it is that of the training is not known")
        caplog.clear()
    (exported / "dict.txt").unlink()  # as a folder of the hub is
    imported(exported, tmp_path / "hub")
    assert not caplog.records
