"""Files of word vectors in the text form of word2vec and fastText (``.vec``): one word a line, read one at a time.

The first line may say how many words and dimensions there are, ``2000000 300``. Every other line is a word and its
numbers, separated by single spaces; a word may hold spaces itself.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines

EXPECTED = "word vectors, '<word> <number> ...' lines as word2vec and fastText write them; check the path"


def read(path: str | Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, np.ndarray | None]]:
    """Words of a file in its order, each with its vector if that is wanted; one line is in memory.

    Example:
        >>> _ = Path("en.vec").write_text("2 3\\nhouse 0.5 0 -1\\ncat 0 0 1e-1\\n")
        >>> (house, vector), cat = read("en.vec", lambda word: word == "house")
        >>> house, vector.tolist(), cat
        ('house', [0.5, 0.0, -1.0], ('cat', None))

    Args:
        is_wanted: whether to read the numbers of a word.

    Returns:
        vectors of float32, shape (D,), finite; None for words that are not wanted.

    Raises:
        InputError: the file is missing, not UTF-8 or empty; a line has another number of fields than the first; a
            number that is wanted is none, or is not finite; there are more or fewer words than the first line says.
    """
    dim, announced, count = 0, None, 0
    for number, line in read_lines(path, EXPECTED, LONGEST_ROW):
        where, line = f"{path}:{number}", line.rstrip(" ")  # word2vec ends its lines with one
        if number == 1:
            announced, dim = _sizes(where, line)
            if announced is not None:
                continue
        fields = line.rsplit(" ", dim)
        if len(fields) != dim + 1 or not fields[0]:
            raise InputError(
                f"{where}: found {line!r:.60}, expected a word and {dim} numbers; mend the line or copy the file again"
            )
        count += 1
        yield fields[0], _vector(where, fields[1:]) if is_wanted(fields[0]) else None
    if not count or announced not in (None, count):
        expected = f"the {announced:,} that its first line names" if announced else "at least one"
        raise InputError(f"{path}: found {count:,} words, expected {expected}; copy the file again")


def _sizes(where: str, line: str) -> tuple[int | None, int]:
    """Number of words, if the first line of a file names it, and dimension."""
    fields = line.split(" ")
    is_header = len(fields) == 2 and all(field.isascii() and field.isdigit() and len(field) < 19 for field in fields)
    announced, dim = map(int, fields) if is_header else (None, len(fields) - 1)
    if dim < 1:
        raise InputError(f"{where}: found {line!r:.60}, expected {EXPECTED}")
    return announced, dim


def _vector(where: str, fields: list[str]) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):
            vector = np.array(fields, dtype=np.float32)
    except ValueError as error:
        raise InputError(f"{where}: found {error}, expected numbers behind the word; mend the line") from error
    if not np.isfinite(vector).all():
        raise InputError(f"{where}: found a number that is not finite, expected finite ones; remove the line")
    return vector
