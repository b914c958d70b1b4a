"""Broken and hostile files: every reader reads them or refuses them in one line, soon, and in little memory."""

import bz2
import gzip
import json
import logging
import lzma
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align.data import binarized
from fairseq_align.derivation.record import Derivation
from fairseq_align.downstream import conllu, iob2, nli
from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_LINE, read_lines
from fairseq_align.lexicon import dictd, tei, wordlist
from fairseq_align.results import records as results
from fairseq_align.text import vocabulary
from tests.stress import fuzz, runs

pytestmark = pytest.mark.forks

EDITS = st.builds(
    fuzz.Edit, st.floats(0, 1), st.integers(-9, 12), st.one_of(st.sampled_from(fuzz.TOKENS), st.binary(max_size=8))
)


@pytest.fixture(autouse=True)
def quiet():
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", fuzz.READERS)
def test_a_reader_reads_what_is_right(name):
    with fuzz.folder() as where:
        assert fuzz.answer(fuzz.READERS[name], fuzz.READERS[name].files, where) == "read"


@pytest.mark.parametrize("name", fuzz.READERS)
def test_a_reader_reads_or_refuses_a_broken_file(name):
    reader = fuzz.READERS[name]

    @settings(max_examples=250, database=None)
    @given(st.sampled_from(list(reader.files)), st.lists(EDITS, min_size=1, max_size=4) | st.binary(max_size=300))
    def answers(broken: str, change: list[fuzz.Edit] | bytes):
        content = change if isinstance(change, bytes) else fuzz.edited(reader.files[broken], change)
        assert fuzz.answer(reader, {**reader.files, broken: content}, where) in ("read", "refused")

    with fuzz.folder() as where:
        answers()


@pytest.mark.parametrize("name", fuzz.READERS)
def test_a_reader_keeps_to_the_memory_that_it_promises(name):
    """Half a mebibyte, and an eighth of what any reader may take besides; tests.stress.reliability gives more."""
    reader = fuzz.READERS[name]
    there, grew, said = fuzz.growth(reader, 1 << 19)
    assert said in ("read", "refused") and there > 1 << 16
    assert grew <= reader.factor * there + fuzz.CONSTANT / 8


BOMB = 1 << 28  # bytes that a small file holds


def packed(head: bytes, filling: bytes, tail: bytes = b"", pack: Callable[[bytes], bytes] = gzip.compress) -> bytes:
    """A compressed file of ``BOMB`` bytes."""
    block = filling * (LONGEST_LINE // len(filling))
    return pack(head) + pack(block) * (BOMB // len(block)) + pack(tail)


def laughs() -> bytes:
    """Ten entities, each ten times the one before: https://en.wikipedia.org/wiki/Billion_laughs_attack"""
    entities = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10 if n else 'ha' * 50}'>" for n in range(10))
    return f"<!DOCTYPE TEI [{entities}]><TEI><entry><form><orth>&e9;</orth></form></entry></TEI>".encode()


ENTRY = b"<TEI><entry><form><orth>"
HOSTILE = {
    "a line": ("x.txt.gz", lambda: packed(b"", b"a"), read_lines),
    "a line, bzip2": ("x.txt.bz2", lambda: packed(b"", b"a", pack=bz2.compress), read_lines),
    "a line, xz": ("x.txt.xz", lambda: packed(b"", b"a", pack=lzma.compress), read_lines),
    "a word list": ("x.txt.gz", lambda: packed(b"", b"a"), wordlist.read),
    "CoNLL-U": ("x.conllu.gz", lambda: packed(b"1\t", b"a"), conllu.read),
    "IOB2": ("x.iob2.gz", lambda: packed(b"", b"a"), lambda path: iob2.read(path, ("PER",))),
    "XNLI": ("x.jsonl.gz", lambda: packed(b'{"language": "', b"a"), lambda path: nli.read(path, "fr", fuzz.Counter())),
    "dictzip": ("x.dict.dz", lambda: packed(b"", b"a"), lambda path: dictd.read(path.with_name("x.index"))),
    "TEI, text": ("x.tei.gz", lambda: packed(ENTRY, b"a"), tei.read),
    "TEI, nested": ("x.tei.gz", lambda: packed(ENTRY, b"<a>"), tei.read),
    "TEI, entities": ("x.tei", laughs, tei.read),
    "derivation": (
        "x.json",
        lambda: json.dumps({**fuzz.DERIVATION, "seed": -1}).encode(),
        lambda path: [Derivation.load(path)],
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_file_that_holds_much_is_refused_in_bounded_memory(tmp_path, name):
    """The reader works in a process that may take 128 MB more than it has; the file holds 256."""
    file, content, read = HOSTILE[name]
    (tmp_path / "x.index").write_bytes(fuzz.DICTD[0])
    path: Path = tmp_path / file
    path.write_bytes(content())

    def limited() -> None:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 27), -1))
        fuzz.drain(read(path))

    log = tmp_path / "log"
    assert runs.end(runs.fork(limited, log)) == 1
    last = log.read_text().splitlines()[-1]
    assert last.startswith(f"error: {tmp_path}/x.") and "found " in last and "expected " in last


@pytest.mark.parametrize("count", [0, 3, 1 << 31, (1 << 64) - 1])
def test_an_index_that_claims_another_number_of_items_is_refused(tmp_path, count):
    content = bytearray(fuzz.TOKEN_FILES["x.idx"])
    content[18:26] = count.to_bytes(8, "little")
    (tmp_path / "x.idx").write_bytes(content)
    (tmp_path / "x.bin").write_bytes(fuzz.TOKEN_FILES["x.bin"])
    with pytest.raises(InputError, match=r"x.idx: found no whole index"):
        binarized.read(tmp_path / "x")


def test_an_id_out_of_the_vocabulary_is_named_with_its_file(tmp_path):
    runs.write_data(tmp_path)
    tokens = np.fromfile(tmp_path / "a" / "train.bin", dtype=np.uint16)
    tokens[7] ^= 1 << 14
    (tmp_path / "a" / "train.bin").write_bytes(tokens)
    size = len(vocabulary.load(tmp_path / "dict.txt"))
    blocks = fuzz.Blocks(tmp_path / "a" / "train", 512, "none", 0, size)
    with pytest.raises(InputError, match=rf"a/train.bin: found token ids \d+ to \d+, expected ids below {size}"):
        blocks[0]


@pytest.mark.parametrize("change", [{"seed": "1"}, {"source_pieces": -1}, {"overlap": None}, {"transforms": [1]}])
def test_a_record_of_a_derivation_with_other_types_is_refused(tmp_path, change):
    path = tmp_path / "derivation.json"
    path.write_text(json.dumps(fuzz.DERIVATION | change))
    with pytest.raises(InputError, match="derivation.json: found "):
        Derivation.load(path)


@pytest.mark.parametrize("place", [b"\n1\t", b"1-2", b"2.1", b"\t2\tdet", b"2:det"])
def test_a_number_of_thousands_of_digits_is_refused_with_its_line(place):
    """Python's int raises a plain ValueError for more than 4300."""
    reader = fuzz.READERS["CoNLL-U"]
    digit = place.strip()[:1]
    content = reader.files["x.conllu"].replace(place, place.replace(digit, b"9" * 5000, 1))
    with fuzz.folder() as where:
        assert fuzz.answer(reader, {"x.conllu": content}, where) == "refused"


def test_a_message_stays_one_line_when_what_is_found_is_several():
    reader = fuzz.READERS["derivation.json"]
    with fuzz.folder() as where:
        content = json.dumps(fuzz.DERIVATION | {"unit": "wo\nrd"}).encode()
        assert fuzz.answer(reader, {"derivation.json": content}, where) == "refused"


def test_json_that_is_too_deep_is_refused_with_its_line(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text("\n" + "[" * 100_000 + "\n")
    with pytest.raises(InputError, match="results.jsonl:2: found "):
        results.read(path)
