import bz2
import gzip
import lzma
import zipfile
from functools import partial

import pytest

from fairseq_align import files
from fairseq_align.derivation import word_order
from fairseq_align.derivation.record import Derivation
from fairseq_align.downstream import conllu, iob2
from fairseq_align.errors import InputError
from fairseq_align.files import read_lines, writing
from fairseq_align.lexicon import tei, wordlist
from fairseq_align.results import curves
from fairseq_align.text import vocabulary


def test_only_newline_ends_a_line(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress("\ufeffone\u2028two\r\nthr\u0085ee\x0c".encode()))
    assert list(read_lines(path)) == [(1, "one\u2028two"), (2, "thr\u0085ee\x0c")]


def test_a_byte_that_is_not_utf8_is_named_with_its_line(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("fine\ncafé\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin.txt:2: found byte 0xe9, expected UTF-8"):
        list(read_lines(path))


@pytest.mark.parametrize(
    "content", [None, b"no gzip", gzip.compress(b"cut short" * 99)[:-9]], ids=["missing", "plain", "cut"]
)
def test_an_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "a.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.gz: found .*expected text, plain or .gz"):
        list(read_lines(path))


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), writing(path) as file:
        file.write("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_named_with_what_it_should_be(tmp_path):
    with pytest.raises(InputError, match=r"a.tsv: found .*No such file.*, expected a lexicon; make one$"):
        list(read_lines(tmp_path / "a.tsv", "a lexicon; make one"))


@pytest.mark.parametrize(
    "read",
    [read_lines, tei.read, wordlist.read, conllu.read, partial(iob2.read, types=["LOC"]), vocabulary.load, curves.read]
    + [Derivation.load, partial(word_order.load, name="nouns")],
)
def test_no_reader_shows_the_number_of_an_error_or_its_path_twice(tmp_path, read):
    """Neither for a file that is missing nor for a folder in its place."""
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none", tmp_path / "folder"):
        with pytest.raises(InputError) as error:
            list(read(path))
        assert str(error.value).startswith(f"{path}: found ")
        assert "Errno" not in str(error.value) and str(error.value).count(str(path)) == 1


def test_a_binary_file_is_replaced_whole(tmp_path):
    with files.replacing(tmp_path / "new" / "model.bin") as part:
        part.write_bytes(b"x")
        assert not (tmp_path / "new" / "model.bin").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.bin"]


def test_a_new_folder_appears_when_it_is_complete(tmp_path):
    out = tmp_path / "new"
    (tmp_path / "new.part").mkdir()  # of a run that was killed
    (tmp_path / "new.part" / "old.txt").touch()
    with files.new_folder(out) as part:
        (part / "a.txt").touch()
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a.txt"]
    with pytest.raises(ZeroDivisionError), files.new_folder(tmp_path / "other") as part:
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_holds_something_is_replaced_only_on_demand(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    files.check_free(out)  # an empty folder is free
    (out / "a.txt").touch()
    with pytest.raises(InputError, match="out: found something there, expected a new folder"), files.new_folder(out):
        pass
    with pytest.raises(ZeroDivisionError), files.new_folder(out, replace=True) as part:
        raise ZeroDivisionError
    assert [path.name for path in out.iterdir()] == ["a.txt"]
    with files.new_folder(out, replace=True) as part:
        (part / "b.txt").touch()
    assert [path.name for path in out.iterdir()] == ["b.txt"]
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_packed_text_is_read_by_its_suffix(tmp_path, suffix):
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[suffix]
    path = tmp_path / f"a.txt.{suffix}"
    path.write_bytes(pack("\ufeffmaison\r\nété\n".encode()))
    assert list(read_lines(path)) == [(1, "maison"), (2, "été")]
    assert files.unpacked_name(path) == "a.txt"
    for content in (b"no such thing", pack(b"cut short" * 99)[:-9]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"a.txt.{suffix}: found .*expected text, plain or .gz, .bz2, .xz"):
            list(read_lines(path))


@pytest.mark.parametrize(
    ("program", "content"),
    [
        ("gzip", gzip.compress(b"x")),
        ("bzip2", bz2.compress(b"x")),
        ("xz", lzma.compress(b"x")),
        ("zip", None),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\x00"),
    ],
    ids=["gzip", "bzip2", "xz", "zip", "zstd"],  # gzip's bytes hold the time
)
def test_packed_text_under_another_name_is_not_called_another_encoding(tmp_path, program, content):
    path = tmp_path / "a.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "house maison\n")
    else:
        path.write_bytes(content)
    advice = {"gzip": "name end in .gz", "bzip2": "name end in .bz2", "xz": "name end in .xz"}.get(program, "unpack it")
    for read in (read_lines, tei.read, conllu.read):
        with pytest.raises(InputError, match=rf"a.zip: found what {program} packed, expected text, .*; .*{advice}$"):
            list(read(path))


LINE = b"word " * 199 + b"end.\n"  # a thousand bytes: short ones take long to read


def bomb(path, size=files.ROOM + (1 << 20)):
    path.write_bytes(gzip.compress(LINE * (size // len(LINE)), 9))
    return path


def test_a_compressed_file_that_holds_more_than_it_may_is_refused(tmp_path, monkeypatch):
    path = bomb(tmp_path / "a.txt.gz")
    with pytest.raises(InputError, match=r"a.txt.gz: found more than 67,108,864 bytes in [\d,]+ compressed ones"):
        sum(1 for _ in read_lines(path))
    monkeypatch.setenv(files.UNPACKED, "2000,1000000000")
    assert sum(1 for _ in read_lines(path)) == (files.ROOM + (1 << 20)) // len(LINE)
    monkeypatch.setenv(files.UNPACKED, "2000,1000000")
    with pytest.raises(InputError, match="found more than 1,000,000 bytes"):
        sum(1 for _ in read_lines(path))
    monkeypatch.setenv(files.UNPACKED, "many")
    with pytest.raises(InputError, match="FAIRSEQ_ALIGN_UNPACKED: found 'many', expected RATIO,BYTES"):
        list(read_lines(path))


@pytest.mark.parametrize(
    "content", [None, b"", b"[1]", b'{"a": ', b"[" * 100_000, b"\xff", b"9" * 5000, b" " * 3000, b'{"a": "\\ud8"}']
)
def test_json_that_is_no_object_or_too_large_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.json: found .*, expected an object; mend it$"):
        files.read_json(path, "an object; mend it", most=2000)


def test_what_is_found_cannot_break_or_fill_the_line_of_a_message():
    message = str(InputError("a.txt:1: found " + "\x1b[31m\r\n\u2028\ud800x" * 1000 + ", expected text; mend it"))
    assert message.isprintable() and len(message) < 1100
    assert message.startswith("a.txt:1: found ") and message.endswith(", expected text; mend it")
