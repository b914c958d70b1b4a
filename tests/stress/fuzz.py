"""Broken files for every reader, and files that take much memory: what a reader may answer, and in what bounds.

``READERS`` is the table of readers. Valid files, edited at random, may only be answered with an ``InputError``; a file
made to take as much memory as it can may not take more than the reader promises.
"""

import gzip
import json
import os
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
from fairseq_align.results import curves
from fairseq_align.results import records as results
from fairseq_align.text import bitext, vocabulary, word_vectors

CONSTANT = 100 << 20  # bytes that any reader may take
SECONDS = 10  # of processor time; a reader that takes longer on a few hundred bytes hangs
RATE = 2  # and seconds more for a MiB, if the file is a large one

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
        worst: files of about so many bytes that take the most memory that we could think of.
        factor: times the size of the files that it may take, besides ``CONSTANT``; 0: it keeps nothing.
    """

    files: dict[str, bytes]
    read: Callable[[Path], object]
    worst: Callable[[int], dict[str, bytes]]
    factor: int = 0


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


def repeated(name: str, content: bytes, head: bytes = b"") -> Callable[[int], dict[str, bytes]]:
    """A file of one content again and again."""
    return lambda size: {name: head + content * (size // len(content))}


def numbered(name: str, line: str, head: str = "") -> Callable[[int], dict[str, bytes]]:
    """A file of lines, each with a number of its own in base 16 for ``%x``."""
    length = len((line.replace("%x", "%05x") % ((0,) * line.count("%x"))).encode())

    def worst(size: int) -> dict[str, bytes]:
        lines = (line.replace("%x", "%05x") % ((number,) * line.count("%x")) for number in range(size // length))
        return {name: (head + "".join(lines)).encode()}

    return worst


def packed(worst: Callable[[int], dict[str, bytes]]) -> Callable[[int], dict[str, bytes]]:
    """The same, compressed; the size is that of what is inside."""
    return lambda size: {f"{name}.gz": gzip.compress(content, 1) for name, content in worst(size).items()}


def many_items(names: Iterable[str]) -> Callable[[int], dict[str, bytes]]:
    """Binarized items of one token each."""

    def worst(size: int) -> dict[str, bytes]:
        files = indexed([4] * (size // 14), [1] * (size // 14))
        return {name.replace("x.", f"{prefix}."): content for prefix in names for name, content in files.items()}

    return worst


def nested_order(size: int) -> dict[str, bytes]:
    weights = {f"{number:x}": {} for number in range(size // 12)}
    order = {"format": word_order.FORMAT, "nouns": ORDER | {"weights": {"next": weights}}}
    return {"x.json": json.dumps(order).encode()}


def entries(size: int) -> dict[str, bytes]:
    """An index of dictd of two thirds of the size, all its lines for one entry."""
    index = "".join(f"{number:05x}\tA\tB\n" for number in range(size // 15)).encode()
    return {"x.index": index, "x.dict": b"a" * (size // 3)}


LOG = b'x | train_inner | {"mlm_loss": "4.0", "align_cos": "0.5", "num_updates": "5"}\n'
LABELLED = b'{"language": "fr", "gold_label": "neutral", "sentence1": "a b", "sentence2": "c"}\n'
READERS = {
    "lexicon": Reader(
        {"x.tsv": "# dictionary: 52f1c0a8d3e7\n▁house\t▁maison\n▁cat s\t▁the\t0.5\n".encode()},
        lambda folder: lexicon.read(folder / "x.tsv"),
        numbered("x.tsv", "%x\t%x-\n"),
        factor=30,
    ),
    "lexicon as ids": Reader(
        {"x.tsv": "▁house\t▁maison\n▁cat s\t▁the\t0.5\n".encode()},
        lambda folder: words.load(folder / "x.tsv", DICTIONARY),
        repeated("x.tsv", b"s\ts\n"),
        factor=20,
    ),
    "MUSE": Reader(
        {"x.txt": b"house maison\ncat\tchat\t2\neng-000\thouse\tfra-000\tlogis\t3\n"},
        lambda folder: drain(wordlist.read(folder / "x.txt", ("eng", "fra"))),
        numbered("x.txt", "%x %x\n"),
    ),
    "MUSE, gzip": Reader(
        {"x.txt.gz": gzip.compress(b"house maison\ncat\tchat\t2\n", mtime=0)},
        lambda folder: drain(wordlist.read(folder / "x.txt.gz")),
        packed(numbered("x.txt", "%x %x\n")),
    ),
    "word vectors": Reader(
        {"x.vec": b"3 2\nhouse 0.5 -1\nice cream 1e-3 2\ncat 0 0\n"},
        lambda folder: drain(word_vectors.read(folder / "x.vec", lambda word: True)),
        numbered("x.vec", "%x 0.5 -1.5\n"),
    ),
    ".index": Reader(
        DICTIONARIES[".index"], lambda folder: drain(formats.read(folder / "x.index")), entries, factor=10
    ),
    ".tei": Reader(
        DICTIONARIES[".tei"],
        lambda folder: drain(formats.read(folder / "x.tei")),
        repeated("x.tei", b"<a/>", head=b"<TEI><entry>"),
    ),
    "dictd, dictzip": Reader(
        {"x.index": DICTD[0], "x.dict.dz": gzip.compress(DICTD[1], mtime=0)},
        lambda folder: drain(formats.read(folder / "x.index")),
        lambda size: {"x.index": b"a\tA\tB\n", "x.dict.dz": gzip.compress(os.urandom(size), 0)},
        factor=20,
    ),
    "CoNLL-U": Reader(
        {"x.conllu": CONLLU},
        lambda folder: drain(map(conllu.words_and_tags, conllu.read(folder / "x.conllu"))),
        lambda size: {
            "x.conllu": b"".join(
                b"%d\ta\t_\tX\t_\t%s\t0\t_\t_\t_\n" % (n, b"|".join(b"%x=1" % i for i in range(9)))
                for n in range(1, size // 60)
            )
        },
    ),
    "IOB2": Reader(
        {"x.iob2": b"Mary\tB-PER\nleft\tO\n\nNew B-LOC\nYork I-LOC\n"},
        lambda folder: [drain(iob2.read(folder / "x.iob2", ("PER", "LOC"), scheme)) for scheme in iob2.SCHEMES],
        repeated("x.iob2", b"a O\n"),
    ),
    "IOB2, short sentences": Reader(
        {"x.iob2": b"Mary\tB-PER\n\nleft\tO\n"},
        lambda folder: drain(iob2.read(folder / "x.iob2", ("PER", "LOC"))),
        numbered("x.iob2", "%x O\n\n"),
    ),
    "XNLI, TSV": Reader(
        {"x.tsv": XNLI},
        lambda folder: drain(nli.read(folder / "x.tsv", "fr", Counter())),
        numbered("x.tsv", "%x\tneutral\ta\tb\n", XNLI.partition(b"\n")[0].decode() + "\n"),
    ),
    "XNLI, JSONL": Reader(
        {"x.jsonl": LABELLED * 2},
        lambda folder: drain(nli.read(folder / "x.jsonl", "fr", Counter())),
        lambda size: {"x.jsonl": b'{"a": [' + b"{}," * (size // 3)},
    ),
    "bitext": Reader(
        {"x.tsv": b"a b\tc\nd\te f\n"},
        lambda folder: drain(bitext.read(folder / "x.tsv", (1, 2))),
        numbered("x.tsv", "%x\t%x\n"),
    ),
    "derivation.json": Reader(
        {"derivation.json": json.dumps(DERIVATION).encode()},
        read_derivation,
        lambda size: {"derivation.json": json.dumps(DERIVATION | {"source_pieces": 10**9}).encode() + b" " * size},
    ),
    "order.json": Reader(
        {"x.json": json.dumps({"format": word_order.FORMAT, "nouns": ORDER}).encode()},
        lambda folder: word_order.load(folder / "x.json", "nouns"),
        nested_order,
        factor=20,
    ),
    "dict.txt": Reader(
        {"dict.txt": "▁the 10\n▁house 3\ns 2 #fairseq:overwrite\n".encode()},
        lambda folder: vocabulary.load(folder / "dict.txt"),
        numbered("dict.txt", "%x 1000\n"),
        factor=30,
    ),
    "results.jsonl": Reader(
        {"x.jsonl": (json.dumps(RECORD) + "\n").encode() * 2},
        lambda folder: results.read(folder / "x.jsonl"),
        repeated("x.jsonl", json.dumps(RECORD).encode() + b"\n"),
        factor=10,
    ),
    "log of a training": Reader(
        {"x.log": LOG + b"x | train_inner | mlm_loss=7.5, align_cos=0.25, num_updates=10\n"},
        lambda folder: curves.read(folder / "x.log"),
        lambda size: {"x.log": b"".join(b"| train_inner | mlm_loss=1,num_updates=%d\n" % n for n in range(size // 45))},
        factor=5,
    ),
    ".bin and .idx": Reader(TOKEN_FILES, read_blocks, many_items("x"), factor=10),
    "parallel .bin and .idx": Reader(
        TOKEN_FILES | {name.replace("x.", "y."): data for name, data in TOKEN_FILES.items()},
        read_pairs,
        many_items("xy"),
        factor=10,
    ),
    "tokens and labels": Reader(TOKEN_FILES | LABEL_FILES, read_tagging, many_items(("x", "x.label")), factor=10),
}


def growth(reader: Reader, size: int) -> tuple[int, int, str]:
    """Give a reader the worst file of a size, in a process of its own.

    Returns:
        bytes of the files, bytes by which its memory grew at most, and what it answered: ``read``, ``refused``, or the
        name of an exception.
    """
    with folder() as where:
        files = reader.worst(size)
        for name, content in files.items():
            (where / name).write_bytes(content)
        there = sum(map(len, files.values()))
        del files
        return there, *measured(reader.read, where)


def measured(read: Callable[[Path], object], where: Path) -> tuple[int, str]:
    """Read something in a process of its own.

    Returns:
        bytes by which its memory grew at most, and what was answered: ``read``, ``refused``, ``killed``, or the name of
        an exception.
    """
    size = sum(path.stat().st_size for path in where.rglob("*") if path.is_file())
    out, into = os.pipe()
    process = os.fork()
    if not process:
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the highest mark becomes what is used now
            before = memory("VmHWM")
            signal.signal(signal.SIGPROF, _hang)
            signal.setitimer(signal.ITIMER_PROF, SECONDS + RATE * size / (1 << 20))
            try:
                read(where)
                said = "read"
            except InputError:
                said = "refused"
            except BaseException as error:
                said = type(error).__name__
            os.write(into, json.dumps([memory("VmHWM") - before, said]).encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        grew, said = json.loads(pipe.read() or b'[0, "killed"]')
    os.waitpid(process, 0)
    return grew, said


def memory(name: str) -> int:
    """A line of the status of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


class Hang(BaseException):
    """A reader took too long; no reader catches it."""


def _hang(*_) -> None:
    raise Hang("no answer within the processor time that it may take")


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
