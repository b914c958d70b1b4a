"""Binarized corpora as flat arrays: fairseq's ``.bin`` / ``.idx`` pair, read memory-mapped, written whole.

``<prefix>.bin`` holds the token ids of all items one after the other, ``<prefix>.idx`` their sizes, so that
token ``t`` of item ``i`` is ``tokens[offsets[i] + t]``. Files written here are what
``fairseq-preprocess --dataset-impl mmap`` writes; either side can read the other's.
"""

import os
import struct
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fairseq.data.indexed_dataset import (
    MMapIndexedDataset,
    _code_to_dtype,
    _dtype_header_code,
    best_fitting_int_dtype,
    data_file_path,
    index_file_path,
)

from fairseq_align.errors import InputError
from fairseq_align.files import replacing

HEADER = struct.Struct("<9sQBQ")  # magic, version, code of the integer type, number of items


class Corpus(NamedTuple):
    """Items of one binarized file.

    Attributes:
        tokens: ids of all items, shape (N,), memory-mapped and read-only, uint16, uint32 or int64.
        sizes: tokens of each item, shape (items,), int32.
    """

    tokens: np.ndarray
    sizes: np.ndarray

    @property
    def offsets(self) -> np.ndarray:
        """Start of each item in ``tokens`` and, last, the number of tokens; shape (items + 1,), int64."""
        offsets = np.zeros(len(self.sizes) + 1, dtype=np.int64)
        np.cumsum(self.sizes, out=offsets[1:])
        return offsets


def exists(prefix: str | Path) -> bool:
    return MMapIndexedDataset.exists(str(prefix))


def read(prefix: str | Path) -> Corpus:
    """Map ``<prefix>.bin`` and read ``<prefix>.idx``.

    Raises:
        InputError: a file is missing, is no fairseq index, or the two do not fit together.
    """
    prefix = str(prefix)
    if not exists(prefix):
        raise InputError(
            f"{prefix}.idx: found no binarized data, expected {prefix}.bin and .idx; run fairseq-preprocess"
        )
    sizes, dtype = _read_index(index_file_path(prefix))
    path = data_file_path(prefix)
    expected = int(sizes.sum(dtype=np.int64)) * np.dtype(dtype).itemsize
    if os.path.getsize(path) != expected:
        raise InputError(
            f"{path}: found {os.path.getsize(path)} bytes, expected {expected} from its index; binarize again"
        )
    if expected == 0:  # an empty file cannot be mapped
        return Corpus(np.empty(0, dtype=dtype), sizes)
    return Corpus(np.memmap(path, dtype=dtype, mode="r"), sizes)


def read_labelled(prefix: str | Path) -> tuple[Corpus, Corpus]:
    """A corpus and, from ``<prefix>.label``, the labels of its tokens, one for each.

    Raises:
        InputError: as ``read``; or the two differ in their sizes.
    """
    corpus, labels = read(prefix), read(f"{prefix}.label")
    if not np.array_equal(corpus.sizes, labels.sizes):
        raise InputError(
            f"{prefix}.label.idx: sizes differ from those of {prefix}.idx, expected one label a token; "
            "run fairseq-align tagging again"
        )
    return corpus, labels


def check_ids(prefix: str | Path, ids: np.ndarray, vocabulary_size: int | None) -> None:
    """Raise ``InputError`` unless all ids are below ``vocabulary_size``; None: ids are not checked."""
    if vocabulary_size is not None and len(ids) and not 0 <= ids.min() <= ids.max() < vocabulary_size:
        raise InputError(
            f"{prefix}.bin: found token ids {ids.min()} to {ids.max()}, expected ids below {vocabulary_size}, the size "
            "of dict.txt; the file is damaged or of another dictionary: binarize again"
        )


def _read_index(path: str) -> tuple[np.ndarray, type]:
    """Sizes of the items and type of the ids. The pointers that follow the sizes are their running sum."""
    with open(path, "rb") as file:
        header = file.read(HEADER.size)
        magic, version, code, count = HEADER.unpack(header) if len(header) == HEADER.size else (b"", 0, 0, 0)
        dtype = _code_to_dtype.get(code)
        right_size = os.path.getsize(path) == HEADER.size + count * (4 + 8)
        if magic != MMapIndexedDataset.Index._HDR_MAGIC or version != 1 or dtype is None or not right_size:
            raise InputError(f"{path}: found no whole index, expected that of fairseq's mmap format; binarize again")
        sizes = np.fromfile(file, dtype=np.int32, count=count)
    if (sizes < 0).any():
        raise InputError(f"{path}: found negative sizes, expected those of items; binarize again")
    return sizes, dtype


def _write_index(path: Path, sizes: list[np.ndarray], dtype: type) -> None:
    """Write the same file as fairseq's index writer, without a Python loop over the items."""
    joined = np.concatenate([np.empty(0, dtype=np.int32), *sizes])
    pointers = np.cumsum(joined, dtype=np.int64) - joined
    with open(path, "wb") as file:
        file.write(HEADER.pack(MMapIndexedDataset.Index._HDR_MAGIC, 1, _dtype_header_code(dtype), len(joined)))
        file.write(joined)
        file.write(pointers * np.dtype(dtype).itemsize)


class Writer:
    """Appends items to ``<prefix>.bin``; see ``writer``. A thread writes while the caller makes the next items."""

    def __init__(self, file, dtype, thread: Executor):
        self.file = file
        self.dtype = dtype
        self.thread = thread
        self.writing: Future | None = None
        self.sizes: list[np.ndarray] = []

    def add(self, tokens: np.ndarray, sizes: np.ndarray) -> None:
        """Append items: their ids one after the other, shape (N,), and their sizes, which sum to N."""
        data = np.array(tokens, dtype=self.dtype)  # a copy, which the caller cannot change while it is written
        self.finish()
        self.writing = self.thread.submit(self.file.write, data)  # tofile reports no full disk
        self.sizes.append(np.asarray(sizes, dtype=np.int32))

    def finish(self) -> None:
        """Wait until everything is written; raise the error of the writing thread."""
        if self.writing:
            self.writing.result()


@contextmanager
def writer(prefix: str | Path, vocabulary_size: int) -> Iterator[Writer]:
    """Context manager: write a binarized corpus; it appears under its name only when the block ends without an error.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with writer(f"{folder}/train", vocabulary_size=9) as out:
    ...         out.add(np.array([4, 5, 2, 6, 2]), np.array([3, 2]))
    ...     read(f"{folder}/train").offsets
    array([0, 3, 5])

    Args:
        prefix: path without ``.bin`` / ``.idx``; folders are made.
        vocabulary_size: upper bound of the ids, fixes the width of the integers as fairseq does.
    """
    prefix, dtype = str(prefix), best_fitting_int_dtype(vocabulary_size)
    # the index is renamed last: it is what tells that a corpus is there
    with replacing(index_file_path(prefix)) as index, replacing(data_file_path(prefix)) as data:
        with open(data, "wb") as file, ThreadPoolExecutor(1) as thread:
            out = Writer(file, dtype, thread)
            yield out
            out.finish()
        _write_index(index, out.sizes, dtype)
