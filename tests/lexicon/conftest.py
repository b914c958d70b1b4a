"""Fixtures of the tests of lexicons."""

import pytest
import sentencepiece

from fairseq_align.text import vocabulary
from tests.support.toy_pieces import make_dictionary


@pytest.fixture(scope="package")
def subwords(tmp_path_factory):
    """A SentencePiece model and dict.txt of a few words."""
    folder = tmp_path_factory.mktemp("subwords")
    (folder / "text").write_text("house houses maison maisons cat chat the la\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"),
        model_prefix=str(folder / "spm"),
        vocab_size=100,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    pieces = [processor.id_to_piece(index) for index in range(3, len(processor))]
    vocabulary.save(make_dictionary(pieces), folder / "dict.txt")
    return folder
