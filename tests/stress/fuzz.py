"""Broken files for every reader: valid ones, edited at random; a reader may only answer with an ``InputError``."""

import gzip
import json
import random
import signal
import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fairseq.data import Dictionary

from fairseq_align.data.blocks import Blocks
from fairseq_align.data.sentence_pairs import ParallelItems
from fairseq_align.data.tagging import TaggingDataset
from fairseq_align.derivation import word_order
from fairseq_align.derivation.record import Derivation
from fairseq_align.derivation.transforms import transliteration
from fairseq_align.downstream import conllu, iob2, nli, tagging
from fairseq_align.errors import InputError
from fairseq_align.lexicon import file as lexicon
from fairseq_align.lexicon import formats, wordlist, words
from fairseq_align.results import records as results
from fairseq_align.text import bitext, vocabulary

SECONDS = 10  # of processor time; a reader that takes longer on a few hundred bytes hangs

# what breaks parsers: bytes that end things, are not UTF-8, or are numbers too large for something
TOKENS = (
    b"", b"\0", b"\t", b"\n", b"\r", b"\r\n", b" ", b"  ", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x85",
    b"#", b'"', b"'", b"<", b">", b"&", b"&x;", b"<!ENTITY x 'y'>", b"<![CDATA[", b"<entry>", b"</entry>", b"{", b"}",
    b"[" * 2000, b'{"a":' * 2000, b"<a>" * 2000, b"[", b"null", b"true", b"NaN", b"Infinity", b"-1", b"0", b"1e999",
    b"9" * 30, b"9" * 5000, b"1_0", b"0x1", b"-", b"_", b"|", b"=", b":", b".", b",", b"\\", b"\\u0000", b"\\ud800",
    b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xd9\xa3", b"\xe2\x96\x81", b"$",
)  # fmt: skip


class Edit(NamedTuple):
    """Replace ``length`` bytes at ``place``, a fraction of the file, by ``token``; a length below 0 repeats as many."""

    place: float
    length: int
    token: bytes


def edited(content: bytes, edits: Iterable[Edit]) -> bytes:
    for place, length, token in edits:
        at = int(place * (len(content) + 1))
        if length < 0:
            token += content[at : at - length]
        content = content[:at] + token + content[at + max(length, 0) :]
    return content


class Reader(NamedTuple):
    """A reader of files.

    Attributes:
        files: what it reads, by the end of the name; valid.
        read: reads ``<folder>/<name>`` and all that follows at once.
    """

    files: dict[str, bytes]
    read: Callable[[Path], object]


def drain(items: Iterable) -> int:
    return sum(1 for _ in items)


DICTIONARY = Dictionary()
for _piece in "▁the ▁house ▁cat s . ▁maison".split():
    DICTIONARY.add_symbol(_piece)
LABELS = tagging.label_dictionary("pos")
RECORD = {
    "task": "pos", "metric": "accuracy", "value": 0.5, "n": 10, "lang": "fr", "source_lang": "en", "split": "test",
    "seed": 1, "objective": "mlm", "derivation": None, "lexicon_rate": 0.5, "freeze_embeddings": True,
    "checkpoint": "0123456789ab", "lexicon": None, "versions": {"fairseq_align": "0", "torch": "2", "fairseq": "0"},
    "date": "2026-11-23",
}  # fmt: skip
CONLLU = b"""# text = The cats
1-2\tThe cats\t_\t_\t_\t_\t_\t_\t_\t_
1\tThe\tthe\tDET\tDT\tDefinite=Def\t2\tdet\t2:det\t_
2\tcats\tcat\tNOUN\tNNS\tNumber=Plur|Case=Nom\t0\troot\t0:root\tSpaceAfter=No
2.1\tx\t_\t_\t_\t_\t_\t_\t1:x\t_

"""
TEI = b"""<?xml version='1.0' encoding='UTF-8'?>
<TEI xmlns='http://www.tei-c.org/ns/1.0'><text><body><entry><form><orth>house</orth></form>
<sense><cit type='trans'><quote>maison</quote></cit></sense></entry></body></text></TEI>
"""
DICTD = b"00databaseinfo\tA\tK\nhouse\tK\tY\ncat\ti\tL\n", b"about it..house /haus/\n1. maison, x.cat\n chat (a)"
DICTIONARIES = {".index": {"x.index": DICTD[0], "x.dict": DICTD[1]}, ".tei": {"x.tei": TEI}}  # of formats.READERS
XNLI = b"language\tgold_label\tsentence1\tsentence2\nfr\tneutral\ta b\tc\nen\t-\td\te\nfr\tentailment\tf\tg\n"
DERIVATION = {"source": "en", "transforms": ["transliterate", "invert"], "unit": "word", "seed": 1, "source_pieces": 3}
DERIVATION |= {"pieces": 6, "dictionary": "0123456789ab", "overlap": 0.25}
ORDER = {"heads": 3, "skipped": 0, "relations": {"amod": 3}, "weights": {word_order.KINDS[0]: {"NOUN": {"ADJ": 0.5}}}}


def indexed(tokens: list[int], sizes: list[int]) -> dict[str, bytes]:
    """``.bin`` and ``.idx`` of uint16 ids."""
    pointers = np.cumsum([0, *sizes])[:-1] * 2
    head = struct.pack("<9sQBQ", b"MMIDIDX\x00\x00", 1, 8, len(sizes))
    return {
        "x.bin": np.array(tokens, dtype=np.uint16).tobytes(),
        "x.idx": head + np.array(sizes, dtype=np.int32).tobytes() + pointers.astype(np.int64).tobytes(),
    }


TOKEN_FILES = indexed([4, 5, 2, 6, 7, 8, 2], [3, 4])
LABEL_FILES = {name.replace("x.", "x.label."): data for name, data in indexed([4, 5, 1, 6, 1, 7, 1], [3, 4]).items()}


def read_blocks(folder: Path) -> None:
    for mode in ("none", "complete", "eos"):
        blocks = Blocks(folder / "x", 4, mode, DICTIONARY.bos(), len(DICTIONARY))
        drain(blocks[index] for index in range(len(blocks)))


def read_pairs(folder: Path) -> None:
    items = ParallelItems(folder / "x", folder / "y", 9, DICTIONARY.bos(), len(DICTIONARY))
    drain(items[index] for index in range(len(items)))


def read_tagging(folder: Path) -> None:
    dataset = TaggingDataset(folder / "x", 4, DICTIONARY, LABELS, 1)
    drain(dataset[index] for index in range(len(dataset)))


def read_derivation(folder: Path) -> None:
    derivation = Derivation.load(folder / "derivation.json")
    if derivation.source_pieces < 1000:  # more than a dictionary of this size holds is refused with the data
        transliteration(derivation)


def dictionary_reader(suffix: str, files: dict[str, bytes]) -> Reader:
    """Reader of a dictionary in the form that ``formats.READERS`` holds for a suffix."""
    return Reader(files, lambda folder: drain(formats.read(folder / f"x{suffix}")))


READERS = {
    "lexicon": Reader(
        {"x.tsv": "# dictionary: 52f1c0a8d3e7\n▁house\t▁maison\n▁cat s\t▁the\t0.5\n".encode()},
        lambda folder: lexicon.read(folder / "x.tsv"),
    ),
    "lexicon as ids": Reader(
        {"x.tsv": "▁house\t▁maison\n▁cat s\t▁the\t0.5\n".encode()},
        lambda folder: words.load(folder / "x.tsv", DICTIONARY),
    ),
    "MUSE": Reader(
        {"x.txt": b"house maison\ncat\tchat\t2\neng-000\thouse\tfra-000\tlogis\t3\n"},
        lambda folder: drain(wordlist.read(folder / "x.txt", ("eng", "fra"))),
    ),
    "MUSE, gzip": Reader(
        {"x.txt.gz": gzip.compress(b"house maison\ncat\tchat\t2\n", mtime=0)},
        lambda folder: drain(wordlist.read(folder / "x.txt.gz")),
    ),
    **{suffix: dictionary_reader(suffix, DICTIONARIES[suffix]) for suffix in formats.READERS},
    "dictd, dictzip": dictionary_reader(".index", {"x.index": DICTD[0], "x.dict.dz": gzip.compress(DICTD[1], mtime=0)}),
    "CoNLL-U": Reader(
        {"x.conllu": CONLLU}, lambda folder: drain(map(conllu.words_and_tags, conllu.read(folder / "x.conllu")))
    ),
    "IOB2": Reader(
        {"x.iob2": b"Mary\tB-PER\nleft\tO\n\nNew B-LOC\nYork I-LOC\n"},
        lambda folder: [drain(iob2.read(folder / "x.iob2", ("PER", "LOC"), scheme)) for scheme in iob2.SCHEMES],
    ),
    "XNLI, TSV": Reader({"x.tsv": XNLI}, lambda folder: drain(nli.read(folder / "x.tsv", "fr", Counter()))),
    "XNLI, JSONL": Reader(
        {"x.jsonl": b'{"language": "fr", "gold_label": "neutral", "sentence1": "a b", "sentence2": "c"}\n' * 2},
        lambda folder: drain(nli.read(folder / "x.jsonl", "fr", Counter())),
    ),
    "bitext": Reader({"x.tsv": b"a b\tc\nd\te f\n"}, lambda folder: drain(bitext.read(folder / "x.tsv", (1, 2)))),
    "derivation.json": Reader({"derivation.json": json.dumps(DERIVATION).encode()}, read_derivation),
    "order.json": Reader(
        {"x.json": json.dumps({"format": word_order.FORMAT, "nouns": ORDER}).encode()},
        lambda folder: word_order.load(folder / "x.json", "nouns"),
    ),
    "dict.txt": Reader(
        {"dict.txt": "▁the 10\n▁house 3\ns 2 #fairseq:overwrite\n".encode()},
        lambda folder: vocabulary.load(folder / "dict.txt"),
    ),
    "results.jsonl": Reader(
        {"x.jsonl": (json.dumps(RECORD) + "\n").encode() * 2}, lambda folder: results.read(folder / "x.jsonl")
    ),
    ".bin and .idx": Reader(TOKEN_FILES, read_blocks),
    "parallel .bin and .idx": Reader(
        TOKEN_FILES | {name.replace("x.", "y."): data for name, data in TOKEN_FILES.items()}, read_pairs
    ),
    "tokens and labels": Reader(TOKEN_FILES | LABEL_FILES, read_tagging),
}


class Hang(BaseException):
    """A reader took too long; no reader catches it."""


def _hang(*_) -> None:
    raise Hang(f"no answer in {SECONDS} s of processor time")


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory where there is one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        yield Path(path)


def answer(reader: Reader, files: dict[str, bytes], where: Path) -> str:
    """What a reader says of files: ``read``, or ``refused`` with a message that names one of them.

    Raises:
        whatever else the reader raises, an ``AssertionError`` for a message that names no file, or ``Hang``.
    """
    for name, content in files.items():
        (where / name).write_bytes(content)
    signal.signal(signal.SIGPROF, _hang)  # SIGALRM is that of the tests' own limit
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        reader.read(where)
        return "read"
    except InputError as error:
        assert any(str(where / name) in str(error) for name in (*files, "x")), error
        assert "\n" not in str(error), error
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def random_files(reader: Reader, rng: random.Random) -> dict[str, bytes]:
    """The files of a reader, one of them broken: edited up to four times, some bits flipped, or cut."""
    files = dict(reader.files)
    name = rng.choice(list(files))
    content = files[name]
    way = rng.random()
    if way < 0.15:
        content = content[: rng.randrange(len(content) + 1)]
    elif way < 0.4:
        changed = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        content = bytes(changed)
    else:
        edits = (
            Edit(rng.random(), rng.choice((-9, 0, 0, 1, 3, 12)), rng.choice(TOKENS)) for _ in range(rng.randint(1, 4))
        )
        content = edited(content, edits)
    return {**files, name: content}
