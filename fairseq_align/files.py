"""Files: packed or not, lines read with their numbers, bounded; files and folders written whole or not at all."""

import functools
import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, TextIO

from fairseq_align.errors import InputError, reason_of

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it
    LZMAError = OSError

PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}  # suffixes, and modules whose ``open`` unpacks
BEGINNINGS = {  # of files that some program packed
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
}
SUFFIXES = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz"}
# what reading raises where a file is damaged, or is not what its suffix says
UNREADABLE = (OSError, EOFError, zlib.error, LZMAError, ImportError, MemoryError)
TEXT = "text, plain or .gz, .bz2, .xz; check the path and the copy"
LONGEST_LINE = 1 << 24  # bytes; a small compressed file can hold a line that no memory has room for
STANDARD = "-"  # the name of standard input, and of standard output

_taken = False  # whether standard input has been read


def is_standard(path: str | Path) -> bool:
    """Whether a path is the name of standard input or output."""
    return str(path) == STANDARD


def _standard_input() -> BinaryIO:
    """Standard input, which can be read once.

    Raises:
        InputError: it has been read.
    """
    global _taken
    if _taken:
        raise InputError(
            f"{STANDARD}: found standard input named twice, expected it once; write one of the texts to a file"
        )
    _taken = True
    return open(0, "rb", closefd=False)


def check_exists(path: str | Path, expected: str = TEXT) -> None:
    """Raise ``InputError`` unless there is a file; commands ask before they import what takes seconds.

    Args:
        expected: end of the message: what the file should be, and what to do.
    """
    if is_standard(path):
        return
    try:
        os.stat(path)  # a pipe must not be opened twice
    except OSError as error:
        raise InputError(f"{path}: found {error.strerror}, expected {expected}") from error


def open_unpacked(path: str | Path) -> BinaryIO:
    """Open a file to read its bytes, unpacked if it ends in a suffix of ``PACKED``.

    Raises:
        ImportError: this Python was built without the module that unpacks it.
    """
    module = PACKED.get(Path(path).suffix)
    return import_module(module).open(path, "rb") if module else open(path, "rb")


def unpacked_name(path: str | Path) -> str:
    """The name of a file without the suffix of what packed it.

    Example:
        >>> unpacked_name("data/eng-fra.tei.xz"), unpacked_name("a.txt")
        ('eng-fra.tei', 'a.txt')
    """
    path = Path(path)
    return path.stem if path.suffix in PACKED else path.name


def check_unpacked(path: str | Path, beginning: bytes) -> None:
    """Raise ``InputError`` if the first bytes that were read of a file say that it is packed."""
    for start, program in BEGINNINGS.items():
        if beginning.startswith(start):
            suffix = SUFFIXES.get(program)
            advice = f"let its name end in {suffix}" if suffix else "unpack it"
            raise InputError(f"{path}: found what {program} packed, expected text, plain or .gz, .bz2, .xz; {advice}")


def read_lines(path: str | Path, expected: str = TEXT) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 text file, plain or packed, with their numbers from 1, without the end of line.

    ``-`` is standard input.
    Only "\\n" ends a line (U+2028 and U+0085 do not); a carriage return before it and a byte order mark are dropped.

    Args:
        expected: end of the message for a file that is missing or cannot be read, as ``check_exists``.

    Raises:
        InputError: the file is missing or cannot be read, or a line is not UTF-8 or longer than ``LONGEST_LINE``.

    Example:
        >>> with writing("two.txt") as file:
        ...     _ = file.write("first\\r\\nsecond")
        >>> list(read_lines("two.txt"))
        [(1, 'first'), (2, 'second')]
    """
    number = 0
    try:
        with _standard_input() if is_standard(path) else open_unpacked(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
                if len(line) == LONGEST_LINE:
                    raise InputError(
                        f"{path}:{number}: found a line of {LONGEST_LINE:,} bytes or more, expected a text of shorter "
                        "ones; break the line"
                    )
                if number == 1:
                    check_unpacked(path, line)
                text = line.decode("utf-8")
                yield number, text.removeprefix("\ufeff" if number == 1 else "").rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x}"
        raise InputError(f"{path}:{number}: found {byte}, expected UTF-8; convert the file, e.g. with iconv") from error
    except UNREADABLE as error:
        raise InputError(f"{path}: found {reason_of(error)}, expected {expected}") from error


def checksum(path: str | Path) -> str:
    """First 12 hexadecimal digits of the sha256 sum of a file's bytes.

    Raises:
        InputError: there is no such file.

    Example:
        >>> Path("abc").write_text("abc")
        3
        >>> checksum("abc")
        'ba7816bf8f01'
    """
    try:
        status = os.stat(path)
        return _checksum(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: found {error.strerror}, expected a file to take the checksum of") from error


def checksum_of(content: bytes) -> str:
    """``checksum`` of a file with this content.

    Example:
        >>> checksum_of(b"abc")
        'ba7816bf8f01'
    """
    return hashlib.sha256(content).hexdigest()[:12]


@functools.cache  # a command gives many scores of one large checkpoint
def _checksum(path: str | Path, size: int, changed: int) -> str:
    """The checksum of a file, remembered while its size and time of change stay the same."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Context manager: a sibling path ``<name>.part`` to write to, renamed to ``path`` if the block ends without error.

    The folder of ``path`` is made; the unfinished file is removed after an error.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def writing(path: str | Path) -> Iterator[TextIO]:
    """Context manager: a UTF-8 text file that appears under its name only if the block ends without an error.

    ``-`` is standard output, of which nothing can be taken back.

    Example:
        >>> with writing("folder/greeting.txt") as file:
        ...     _ = file.write("hello")
        >>> Path("folder/greeting.txt").read_text()
        'hello'
    """
    if is_standard(path):
        with open(1, "w", encoding="utf-8", newline="\n", closefd=False) as file:
            yield file
        return
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        yield file


def check_free(path: str | Path) -> None:
    """Raise ``InputError`` if something other than an empty folder exists at the path."""
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path}: found something there, expected a new folder; remove it or name another one")


@contextmanager
def new_folder(path: str | Path, replace: bool = False) -> Iterator[Path]:
    """Context manager: a sibling folder ``<name>.part`` to fill, renamed to ``path`` if the block ends without error.

    Args:
        replace: an existing folder at ``path`` is removed when the new one is complete, not before.

    Raises:
        InputError: without ``replace``, if something other than an empty folder exists at ``path``.
    """
    path = Path(path)
    if not replace:
        check_free(path)
    part = path.with_name(path.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    part.mkdir(parents=True)
    try:
        yield part
        if replace and path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
