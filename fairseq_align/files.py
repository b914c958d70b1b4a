"""Text files and what every reader of them does first: lines with their numbers, bounded; one kind of white space."""

import gzip
import os
import re
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fairseq_align.errors import InputError

LONGEST_LINE = 1 << 24  # bytes; a small compressed file can hold a line that no memory has room for
NOISE = "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff]"  # control characters but white space, byte order marks
_NOISE = re.compile(NOISE)


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 text file, plain or gzipped, with their numbers from 1, without the end of line.

    Only "\\n" ends a line (U+2028 and U+0085 do not); a carriage return before it and a byte order mark are dropped.

    Raises:
        InputError: the file is missing or cannot be read, or a line is not UTF-8 or longer than ``LONGEST_LINE``.
    """
    opened = gzip.open if str(path).endswith(".gz") else open
    number = 0
    try:
        with opened(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
                if len(line) == LONGEST_LINE:
                    raise InputError(
                        f"{path}:{number}: found a line of {LONGEST_LINE:,} bytes or more, expected a text of shorter "
                        "ones; break the line"
                    )
                text = line.decode("utf-8")
                yield number, text.removeprefix("\ufeff" if number == 1 else "").rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x}"
        raise InputError(f"{path}:{number}: found {byte}, expected UTF-8; convert the file, e.g. with iconv") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: found {error}, expected text, plain or .gz; check the path and the copy") from error


@contextmanager
def writing(path: str | Path) -> Iterator[TextIO]:
    """Open a text file for writing; it appears under its name only when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "w", encoding="utf-8", newline="\n") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def normalise(text: str) -> str:
    """Unicode NFC, no control characters or byte order marks, every run of white space one space, none at the ends."""
    return " ".join(_NOISE.sub("", unicodedata.normalize("NFC", text)).split())
