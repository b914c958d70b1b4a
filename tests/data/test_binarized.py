"""Binarized files: fairseq's format, written whole, refused when damaged."""

import numpy as np
import pytest
from fairseq.data.indexed_dataset import MMapIndexedDataset

from fairseq_align.data import binarized
from fairseq_align.errors import InputError
from tests.data.corpora import write


def test_binarized_files_are_fairseqs(tmp_path):
    write(tmp_path / "train", [4, 5, 2], [6, 2])
    stock = MMapIndexedDataset(str(tmp_path / "train"))
    assert [item.tolist() for item in stock] == [[4, 5, 2], [6, 2]]
    ours = binarized.read(tmp_path / "train")
    assert ours.tokens.tolist() == [4, 5, 2, 6, 2] and ours.offsets.tolist() == [0, 3, 5]


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), binarized.writer(tmp_path / "train", 14) as out:
        out.add(np.array([4]), np.array([1]))
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damaged", [b"", b"MMIDIDX\x00\x00", b"something else entirely"])
def test_a_damaged_index_is_refused(tmp_path, damaged):
    write(tmp_path / "train", [4, 5, 2])
    (tmp_path / "train.idx").write_bytes(damaged)
    with pytest.raises(InputError, match="train.idx: .*binarize again"):
        binarized.read(tmp_path / "train")
