"""Small SentencePiece models and a model of transformers."""

from itertools import islice
from pathlib import Path

import pytest

from fairseq_align.files import read_lines
from fairseq_align.text import subword, vocabulary


@pytest.fixture(scope="session")
def spm(tmp_path_factory) -> Path:
    """Folder of a small SentencePiece model, ``text`` that it was trained on, and ``dict.txt``."""
    from tests.huggingface.models import sentences

    folder = tmp_path_factory.mktemp("spm")
    (folder / "text").write_text("\n".join(sentences(400)) + "\n", encoding="utf-8")
    subword.train([folder / "text"], folder, vocab_size=60, character_coverage=1.0)
    return folder


@pytest.fixture(scope="session")
def natural(data_dir, tmp_path_factory) -> Path:
    """A SentencePiece model of four languages."""
    from tests.huggingface.models import LANGS

    folder = tmp_path_factory.mktemp("natural")
    with open(folder / "text", "w", encoding="utf-8") as file:
        for lang in LANGS:
            suffix = ".gz" if lang == "hi" else ""
            for _, line in islice(read_lines(data_dir / "xnli" / f"xnli-dev-{lang}.tsv{suffix}"), 1, 800, 3):
                file.write(line.replace("\t", " ") + "\n")
    subword.train([folder / "text"], folder, vocab_size=3000)
    return folder


@pytest.fixture(scope="session")
def plain(spm, tmp_path_factory) -> Path:
    """A model of Hugging Face as XLM-R is on the hub: no dict.txt, tokenizer.json and SentencePiece's model."""
    from tests.huggingface.models import TINY, export, save

    work = tmp_path_factory.mktemp("plain")
    folder = export(save(work / "ours", TINY, vocabulary.load(spm / "dict.txt")), work / "theirs", spm)
    (folder / "dict.txt").unlink()
    return folder
