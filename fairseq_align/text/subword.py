"""SentencePiece models: trained, loaded, their pieces as fairseq's vocabulary, and words in pieces.

Ids follow XLM-R's convention: fairseq id = piece id + 1. SentencePiece has ``<unk> <s> </s>`` at 0, 1, 2, fairseq has
``<s> <pad> </s> <unk>`` at 0 to 3; every other piece is in ``dict.txt``, in SentencePiece order.

Text is encoded word by word, everywhere: pre-training text, treebanks and word lists give the same pieces for the same
word. A word starts with a piece that starts with U+2581. Unknown characters are written as ``<unk>``, so text in pieces
holds symbols of the dictionary alone.
"""

from __future__ import annotations

import io
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from threading import Thread
from typing import TYPE_CHECKING

from fairseq_align.errors import InputError
from fairseq_align.files import checksum, read_lines, replacing
from fairseq_align.ranges import FLAGS
from fairseq_align.text import vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary
    from sentencepiece import SentencePieceProcessor

UNKNOWN = "<unk>"
RESERVED = frozenset({"<s>", "<pad>", "</s>", UNKNOWN, vocabulary.MASK})  # symbols that mean something to fairseq
MODEL_TYPES = ("unigram", "bpe")
FILES = ("spm.model", "sentencepiece.bpe.model")  # names of a model beside dict.txt: ours, XLM-R's
SCORE_STEP = 2**-10  # nats; sums of such scores are exact in float32 up to 16,384
LONGEST = 1 << 14  # bytes of a sentence for SentencePiece, whose time grows with the square of them
THREADS = 16  # fixed: sums over threads are rounded in an order that depends on their number

logger = logging.getLogger(__name__)

_RESERVED = re.compile("|".join(sorted(map(re.escape, RESERVED))))


def load(path: str | Path) -> SentencePieceProcessor:
    """Load a SentencePiece model whose first pieces are ``<unk> <s> </s>``.

    Raises:
        InputError: the file is missing, is no SentencePiece model, numbers its special symbols otherwise, or does not
            begin words with U+2581 (trained without a dummy prefix, or with white space as a suffix).
    """
    if not Path(path).is_file():
        raise InputError(
            f"{path}: found no file, expected a SentencePiece model; train one with fairseq-align subword train"
        )
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(Path(path).read_bytes())
        first = [processor.id_to_piece(index) for index in range(min(3, len(processor)))]
    except RuntimeError as error:
        raise InputError(
            f"{path}: found no SentencePiece model, expected the spm.model of fairseq-align subword train"
        ) from error
    if first != [UNKNOWN, "<s>", "</s>"]:
        raise InputError(
            f"{path}: found first pieces {' '.join(first)}, expected <unk> <s> </s>; "
            "train with SentencePiece's default unk_id, bos_id and eos_id"
        )
    word = "".join(processor.encode("a", out_type=str))
    if not word.startswith(vocabulary.WORD_START):
        raise InputError(
            f"{path}: found the word a as {word!r}, expected {vocabulary.WORD_START + 'a'!r}; words are found by it; "
            "train with SentencePiece's default add_dummy_prefix and treat_whitespace_as_suffix"
        )
    return processor


def beside(folder: str | Path) -> Path | None:
    """The SentencePiece model in a folder of data; None: there is none."""
    return next((path for path in (Path(folder, name) for name in FILES) if path.is_file()), None)


def install(model: Path, folder: Path) -> None:
    """Copy a SentencePiece model to the data that it has segmented; one that is there has to be the same.

    Raises:
        InputError: the folder has another one.
    """
    present = beside(folder)
    if present is None:
        with replacing(folder / FILES[0]) as part:
            shutil.copyfile(model, part)
    elif checksum(present) != checksum(model):
        raise InputError(
            f"{present}: found another SentencePiece model than {model}, expected the same for all data of a folder; "
            "choose another --out, or remove the file and its data"
        )


def pieces(processor: SentencePieceProcessor) -> list[str]:
    """Pieces of a model without ``<unk> <s> </s>``, in id order; the one at position ``i`` has fairseq id ``i + 4``."""
    return [processor.id_to_piece(index) for index in range(3, len(processor))]


def check_vocabulary(processor: SentencePieceProcessor, dictionary: Dictionary, path: Path) -> None:
    """Raise ``InputError`` unless every piece of the model is a symbol of the dictionary read from ``path``."""
    missing = [piece for piece in pieces(processor) if piece not in dictionary]
    if missing:
        raise InputError(
            f"{path}: found no {missing[0]!r} and {len(missing) - 1} other pieces of the model, expected all of them; "
            "give the dict.txt and the spm.model of the same training"
        )


def encode_word(processor: SentencePieceProcessor, word: str) -> tuple[str, ...]:
    """Pieces of one word; ``encoder.WordEncoder`` gives the same and remembers them, for long texts."""
    if word == UNKNOWN:
        return (UNKNOWN,)
    return tuple(processor.id_to_piece(index) for index in processor.encode(word))


def encode_words(processor: SentencePieceProcessor, words: Iterable[str]) -> list[list[str]]:
    """Pieces of each word.

    A word's first piece starts with U+2581, and the lists joined are SentencePiece's encoding of the sentence. A word
    that the model's normalisation erases (a lone zero-width space, control character or U+2581) gives an empty list;
    callers that need a piece for every word put ``UNKNOWN`` there. A word of unknown characters alone is U+2581 and
    ``<unk>``; U+2581 alone does not come up. The word ``<unk>`` of tokenised text (WikiText) is the symbol ``<unk>``.
    A "word" with a space inside (``50 000`` of a treebank) gives the pieces of its parts, so U+2581 comes up twice.
    """
    return [list(encode_word(processor, word)) for word in words]


def sample(sentences: Iterable[str], count: int, seed: int) -> list[str]:
    """``count`` sentences drawn at random in one pass (reservoir), all of them if there are no more or ``count`` is 0.

    Source: Vitter 1985, Random Sampling with a Reservoir, algorithm R.

    Example:
        >>> sample(["one", "two", "three"], 0, seed=1)
        ['one', 'two', 'three']
        >>> len(sample(map(str, range(1000)), 10, seed=1))
        10
    """
    random = Random(seed)
    chosen = []
    for index, sentence in enumerate(sentences):
        if not count or index < count:
            chosen.append(sentence)
        elif (place := random.randrange(index + 1)) < count:
            chosen[place] = sentence
    return chosen


def _training_text(files: Iterable[str | Path]) -> Iterator[str]:
    """Sentences without symbols that fairseq reserves: what is not in the text is in no piece of the model.

    Lines of more than ``LONGEST`` bytes come in parts, which is said in the log, as are words that are longer.
    """
    for path in files:
        long_lines = 0
        for number, line in read_lines(path):
            sentence = " ".join(_RESERVED.sub(" ", line).split())
            if len(sentence.encode()) > LONGEST:
                long_lines += 1
                yield from parts(f"{path}:{number}", sentence)
            elif sentence:
                yield sentence
        if long_lines:
            logger.warning(
                "%s: found %s of more than %s bytes, expected a sentence a line; learnt from in parts",
                path,
                "1 line" if long_lines == 1 else f"{long_lines:,} lines",
                f"{LONGEST:,}",
            )


def parts(where: str, sentence: str) -> Iterator[str]:
    """A sentence in parts of at most ``LONGEST`` bytes that end between words, without words that are longer.

    Args:
        where: ``path:line``, for the log.
        sentence: words with one space between them.
    """
    part, size = [], 0
    for word in sentence.split(" "):
        length = len(word.encode())
        if length > LONGEST:
            logger.warning("%s: left out a word of %s bytes, more than SentencePiece learns from", where, f"{length:,}")
            continue
        if part and size + 1 + length > LONGEST:
            yield " ".join(part)
            part = []
        size = size + 1 + length if part else length
        part.append(word)
    if part:
        yield " ".join(part)


def interruptible(work: Callable, **options) -> None:
    """Run what does not return to Python for minutes, in a thread: Ctrl-C ends the wait for it."""
    errors: list[Exception] = []

    def run() -> None:
        try:
            work(**options)
        except Exception as error:
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def train(
    files: Iterable[str | Path],
    out: str | Path,
    vocab_size: int,
    character_coverage: float = 0.9995,
    model_type: str = "unigram",
    input_sentences: int = 0,
    seed: int = 1,
    lower_case: bool = False,
    verbose: bool = False,
) -> Dictionary:
    """Train a model and write ``spm.model`` and ``dict.txt`` into the folder ``out``.

    The same text and arguments give the same bytes.

    Args:
        files: text of all languages, one sentence a line, plain or packed.
        vocab_size: pieces of the model, ``<unk> <s> </s>`` included; fairseq's dictionary has ``<pad>`` besides.
        character_coverage: fraction of the characters of the text that get a piece, in [0.98, 1], the range that
            SentencePiece takes; the others are unknown.
        model_type: ``unigram`` or ``bpe``.
        input_sentences: train on so many sentences, drawn at random with ``seed``; 0: all. They are held in memory.
        lower_case: of pieces and, as part of the model's normalisation, of all that it encodes.
        verbose: let SentencePiece log its progress to stderr.

    Raises:
        InputError: there is no text, or it does not fit the vocabulary size, or a setting is out of its range.
    """
    for flag, value in (
        ("--vocab-size", vocab_size),
        ("--character-coverage", character_coverage),
        ("--input-sentences", input_sentences),
    ):
        if value not in FLAGS[flag]:
            raise InputError(f"{flag}: found {value}, expected {FLAGS[flag].expected}; change it")
    from sentencepiece import SentencePieceTrainer

    sentences = sample(_training_text(files), input_sentences, seed)
    if not sentences:
        raise InputError(
            f"{', '.join(map(str, files))}: found no sentence, expected one a line; "
            "make the files with fairseq-align corpus"
        )
    model = io.BytesIO()
    try:
        interruptible(
            SentencePieceTrainer.train,
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=vocab_size,
            character_coverage=character_coverage,
            model_type=model_type,
            normalization_rule_name="nmt_nfkc_cf" if lower_case else "nmt_nfkc",
            max_sentence_length=LONGEST,
            num_threads=THREADS,
            minloglevel=0 if verbose else 2,
        )
    except RuntimeError as error:
        reason = (str(error).rpartition("] ")[2] or str(error)).strip(" .")
        raise InputError(
            f"--vocab-size {vocab_size}: found that it does not fit the text ({reason}); change it, or give more text"
        ) from error
    return _save(with_exact_scores(model.getvalue()), Path(out))


def with_exact_scores(model: bytes) -> bytes:
    """The model with its scores rounded to multiples of ``SCORE_STEP``.

    Two segmentations are often equally good (``00 0`` and ``0 00``). SentencePiece adds scores up in float32, other
    implementations in float64: with rounding errors, each would break ties in its own way, and by what stands before.
    """
    from sentencepiece.sentencepiece_model_pb2 import ModelProto

    proto = ModelProto.FromString(model)
    for piece in proto.pieces:
        piece.score = round(piece.score / SCORE_STEP) * SCORE_STEP
    return proto.SerializeToString()


def _save(model: bytes, out: Path) -> Dictionary:
    with replacing(out / FILES[0]) as part:
        part.write_bytes(model)
        dictionary = to_dictionary(load(part))
        vocabulary.save(dictionary, out / "dict.txt")
    return dictionary


def to_dictionary(processor: SentencePieceProcessor) -> Dictionary:
    """fairseq's vocabulary of a model: its pieces in SentencePiece order, each with the count 1.

    Raises:
        InputError: a piece cannot be a symbol of ``dict.txt``.
    """
    symbols = pieces(processor)
    for piece in symbols:
        if piece in RESERVED or not piece or vocabulary.SEPARATORS.intersection(piece):
            raise InputError(
                f"found piece {piece!r}, expected no space, no end of line and none of {' '.join(sorted(RESERVED))}; "
                "remove it from the text"
            )
    return vocabulary.of_symbols(symbols)
