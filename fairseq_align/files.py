"""Files: packed or not, lines and JSON read within bounds; files and folders written whole or not at all."""

import functools
import hashlib
import io
import json
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
LONGEST_LINE = 1 << 24  # bytes of a line of running text, which may be a whole book
LONGEST_ROW = 1 << 20  # bytes of a line with columns or fields, which takes many times as much once they are apart
UNPACKED = "FAIRSEQ_ALIGN_UNPACKED"  # what a compressed file may hold: RATIO,BYTES
RATIO, MOST = 100, 1 << 40  # its defaults; text is packed to a tenth, word lists to a thirtieth
ROOM = 1 << 26  # bytes that any compressed file may hold, whatever its size
MOST_JSON = 1 << 24  # bytes of a JSON document; configurations have thousands, tokenizers of XLM-R nine million
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


class _Counted:
    """A file that counts the bytes that were read."""

    def __init__(self, file: BinaryIO):
        self.file, self.taken = file, 0

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.taken += len(data)
        return data


class _Unpacked(io.RawIOBase):
    """The content of a packed file, up to a bound."""

    def __init__(self, path: str | Path, module: str, ratio: int, room: int, most: int):
        self.path, self.ratio, self.room, self.most = path, ratio, room, most
        self.packed = _Counted(open(path, "rb"))
        self.unpacked = import_module(module).open(self.packed, "rb")
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.unpacked.read(len(buffer))
        self.given += len(data)
        bound = min(self.most, max(self.room, self.ratio * self.packed.taken))
        if self.given > bound:
            raise InputError(
                f"{self.path}: found more than {bound:,} bytes in {self.packed.taken:,} compressed ones, expected at "
                f"most {self.ratio} times as many; if they are right, unpack the file or set {UNPACKED}=RATIO,BYTES"
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.packed.file.close()
        super().close()


def open_unpacked(path: str | Path, module: str | None = None, ratio: int = 0, room: int = ROOM) -> BinaryIO:
    """Open a file to read its bytes, unpacked if it ends in a suffix of ``PACKED``.

    A packed file may hold ``ratio`` times its size or ``room`` bytes, whichever is more; the environment variable
    ``FAIRSEQ_ALIGN_UNPACKED=RATIO,BYTES`` sets the ratio and the most bytes of all.

    Args:
        module: one of ``PACKED`` that unpacks it; None: as its suffix says; empty: it is not packed.
        ratio: 0: that of the environment variable, or else ``RATIO``.

    Raises:
        UNREADABLE: it cannot be read, on opening or while reading, or this Python was built without the module.
        InputError: it holds more than it may, while reading; or the variable is not two numbers.
    """
    module = PACKED.get(Path(path).suffix) if module is None else module
    if not module:
        return open(path, "rb")
    given, most = _bounds()
    return io.BufferedReader(_Unpacked(path, module, ratio or given, room, most), 1 << 16)


def _bounds() -> tuple[int, int]:
    """Ratio and most bytes of a compressed file."""
    text = os.environ.get(UNPACKED) or f"{RATIO},{MOST}"
    parts = text.split(",")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise InputError(f"{UNPACKED}: found {text!r}, expected RATIO,BYTES such as {RATIO},{MOST}; mend the variable")
    return int(parts[0]), int(parts[1])


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
            suffix = None if is_standard(path) else SUFFIXES.get(program)
            advice = f"let its name end in {suffix}" if suffix else "unpack it"
            raise InputError(f"{path}: found what {program} packed, expected text, plain or .gz, .bz2, .xz; {advice}")


def read_lines(path: str | Path, expected: str = TEXT, longest: int = LONGEST_LINE) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 text file, plain or packed, with their numbers from 1, without the end of line.

    ``-`` is standard input.
    Only "\\n" ends a line (U+2028 and U+0085 do not); a carriage return before it and a byte order mark are dropped.

    Args:
        expected: end of the message for a file that is missing or cannot be read, as ``check_exists``.
        longest: bytes of a line from which on it is refused.

    Raises:
        InputError: the file is missing or cannot be read or holds more than it may (see ``opened``), or a line is not
            UTF-8 or too long.

    Example:
        >>> with writing("two.txt") as file:
        ...     _ = file.write("first\\r\\nsecond")
        >>> list(read_lines("two.txt"))
        [(1, 'first'), (2, 'second')]
    """
    number = 0
    try:
        with _standard_input() if is_standard(path) else open_unpacked(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(longest), b""), 1):
                if len(line) == longest:
                    raise InputError(
                        f"{path}:{number}: found a line of {longest:,} bytes or more, expected a text of shorter "
                        "ones; break the line"
                    )
                if number == 1:
                    check_unpacked(path, line)
                    line = line.removeprefix(b"\xef\xbb\xbf")
                yield number, line.rstrip(b"\r\n").decode("utf-8")
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


def read_json(path: str | Path, expected: str, most: int = MOST_JSON) -> dict:
    """A JSON object that a whole file holds.

    Args:
        expected: end of the message: what the file should be, and what to do.
        most: bytes from which on it is refused.

    Raises:
        InputError: the file is missing, cannot be read, is too large, nested too deep or no JSON object.

    Example:
        >>> with writing("one.json") as file:
        ...     _ = file.write('{"a": 1}')
        >>> read_json("one.json", "an object")
        {'a': 1}
    """
    try:
        with open(path, "rb") as file:
            data = file.read(most)
        if len(data) == most:
            raise InputError(f"{path}: found {most:,} bytes or more, expected {expected}")
        content = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: found {reason_of(error)}, expected {expected}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: found a {type(content).__name__}, expected {expected}")
    return content


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
