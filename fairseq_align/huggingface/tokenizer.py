"""Hugging Face's fast tokenizer from a SentencePiece model and a vocabulary, and the way back.

The tokenizer holds ``normalise``, SentencePiece's own normalisation and the split into words, so that words
separated by spaces get the ids of ``subword.encode_words``. Left outside is the tokenisation of raw text (sacremoses).

Words contain no spaces. So a symbol that no text may be tokenized into, as a derived piece (``\u2581the~``), keeps its
id and has a space after it in tokenizer.json. The scores of such symbols do not matter then, while one lower than all
others would make unknown characters dearer.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sentencepiece.sentencepiece_model_pb2 import ModelProto, TrainerSpec

from fairseq_align.errors import InputError, needed
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.normalise import BARRIER, NOISE, barrier_pattern

if TYPE_CHECKING:
    from fairseq.data import Dictionary

logger = logging.getLogger(__name__)

SPECIALS = ("<s>", "<pad>", "</s>", subword.UNKNOWN)  # ids 0 to 3 of fairseq
UNREACHABLE_SUFFIX = " "  # appended to derived symbols, so that no text is tokenized into them
UNKNOWN_PENALTY = 10  # SentencePiece: the score of an unknown character is lower than the lowest piece's by this
LONGEST_PIECE = 512  # characters; those of XLM-R have 16
LOWEST_SCORE = 1e6  # nats; log probabilities of pieces are above -20
GAIN = 0.125  # log probability that a new piece has over each piece it saves
# what SentencePiece does, too, or what our text has gone through
NORMALIZERS = ("Sequence", "Precompiled", "NFC", "Replace", "Strip")


def read_proto(model: bytes, where: str) -> ModelProto:
    """The protocol buffer of a SentencePiece model whose pieces a fast tokenizer finds in the same way.

    Raises:
        InputError: it is no unigram model with SentencePiece's default treatment of spaces.
    """
    proto = ModelProto.FromString(model)
    trainer, normalizer = proto.trainer_spec, proto.normalizer_spec
    found = {
        "model_type": TrainerSpec.ModelType.Name(trainer.model_type).lower(),
        "byte_fallback": trainer.byte_fallback,
        "treat_whitespace_as_suffix": trainer.treat_whitespace_as_suffix,
        "add_dummy_prefix": normalizer.add_dummy_prefix,
        "remove_extra_whitespaces": normalizer.remove_extra_whitespaces,
        "special pieces": sum(piece.type != piece.NORMAL for piece in proto.pieces[3:]),
    }
    expected = {**found, "model_type": "unigram", "byte_fallback": False, "treat_whitespace_as_suffix": False}
    expected |= {"add_dummy_prefix": True, "remove_extra_whitespaces": True, "special pieces": 0}
    for name, value in expected.items():
        if found[name] != value:
            raise InputError(f"{where}: found {name} {found[name]}, expected {value}, as XLM-R's model has; train anew")
    return proto


def build(model: bytes, dictionary: Dictionary, where: str):
    """The ``tokenizers.Tokenizer`` whose ids are those of the dictionary.

    Args:
        model: SentencePiece model, serialised.
        dictionary: every symbol the embeddings have a row for, mask symbols included.
        where: path of the SentencePiece model, for messages.

    Raises:
        InputError: a piece of the model is no symbol of the dictionary, or see ``read_proto``.
    """
    library = needed("tokenizers")
    proto = read_proto(model, where)
    scores = {piece.piece: piece.score for piece in proto.pieces[3:]}
    missing = next((piece for piece in scores if piece not in dictionary), None)
    if missing is not None:
        raise InputError(f"{where}: found the piece {missing!r}, expected those of dict.txt; give both of one training")
    if any(score % subword.SCORE_STEP for score in scores.values()):
        logger.warning(
            "%s: found scores that are no multiples of 2^-10, as ours are: a word that can be written in two equally "
            "good ways may get other pieces than from SentencePiece, which breaks ties by rounding errors",
            where,
        )
    masks = dictionary.symbols[dictionary.nspecial + len(vocabulary.pieces(dictionary)) :]
    lowest = min(scores.values())
    entries = [(symbol, 0.0) for symbol in SPECIALS]
    for symbol in dictionary.symbols[dictionary.nspecial :]:
        reachable = symbol in scores or symbol in masks
        entries.append((symbol if reachable else symbol + UNREACHABLE_SUFFIX, scores.get(symbol, lowest)))
    tokenizer = library.Tokenizer(library.models.Unigram(entries, SPECIALS.index(subword.UNKNOWN), False))
    tokenizer.normalizer = _normalizer(library, proto.normalizer_spec.precompiled_charsmap)
    metaspace = library.pre_tokenizers.Metaspace(replacement=vocabulary.WORD_START, prepend_scheme="always")
    tokenizer.pre_tokenizer = library.pre_tokenizers.Sequence([library.pre_tokenizers.WhitespaceSplit(), metaspace])
    tokenizer.decoder = library.decoders.Sequence(
        [library.decoders.Replace(UNREACHABLE_SUFFIX, ""), library.decoders.Metaspace(vocabulary.WORD_START, "always")]
    )
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([library.AddedToken(symbol, special=True, normalized=False) for symbol in SPECIALS])
    tokenizer.add_special_tokens(
        [library.AddedToken(symbol, special=True, normalized=False, lstrip=True) for symbol in masks]
    )
    return tokenizer


def _normalizer(library, charsmap: bytes):
    """``normalise``, then SentencePiece's rules; U+2581 in a text is a space to SentencePiece."""
    steps = library.normalizers
    rules = [steps.Replace(library.Regex(NOISE), ""), steps.Replace(library.Regex(barrier_pattern()), BARRIER)]
    rules += [steps.NFC(), steps.Replace(BARRIER, "")]
    rules += [steps.Replace(library.Regex("[\x1c-\x1f\x85]"), " ")]  # white space to Python, not to the tokenizer
    rules += [steps.Precompiled(charsmap)] if charsmap else []
    return steps.Sequence([*rules, steps.Replace(vocabulary.WORD_START, " ")])


def settings(positions: int) -> dict:
    """``tokenizer_config.json``; the class reads tokenizer.json as it is, in transformers 4 and 5."""
    mask = {"__type": "AddedToken", "content": vocabulary.MASK, "lstrip": True, "rstrip": False}
    mask |= {"normalized": False, "single_word": False, "special": True}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": positions,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "bos_token": "<s>",
        "cls_token": "<s>",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "unk_token": subword.UNKNOWN,
        "mask_token": mask,
    }


def ids(model: bytes) -> dict[str, int]:
    """XLM-R's ids of the symbols of a SentencePiece model: those of fairseq."""
    from sentencepiece import SentencePieceProcessor

    pieces = subword.pieces(SentencePieceProcessor(model_proto=model))
    return {symbol: index for index, symbol in enumerate((*SPECIALS, *pieces, vocabulary.MASK))}


class Parts(NamedTuple):
    """Content of a tokenizer.json.

    Attributes:
        ids: id of each symbol, spelt as in dict.txt.
        model: the SentencePiece model that it was built from, built again and serialised.
    """

    ids: dict[str, int]
    model: bytes


def parts(document: dict, where: str) -> Parts:
    """Take a fast tokenizer apart: the way back from ``build``, and from any tokenizer of XLM-R.

    Raises:
        InputError: it is no unigram model, or normalises text in a way that SentencePiece does not.
    """
    model = document.get("model")
    entries = model.get("vocab") if isinstance(model, dict) and model.get("type", "Unigram") == "Unigram" else None
    try:
        scores = [(str(symbol), float(score)) for symbol, score in entries or ()]
        added = added_tokens([(token["content"], token["id"]) for token in document.get("added_tokens") or ()], where)
        charsmap = _charsmap(document.get("normalizer"), where)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError, binascii.Error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: found {error}, expected a tokenizer.json of XLM-R; get a whole copy") from error
    if not scores or model.get("byte_fallback"):
        raise InputError(f"{where}: found no unigram model, expected the tokenizer of XLM-R; get one with its pieces")
    ids = {symbol.removesuffix(UNREACHABLE_SUFFIX): index for index, (symbol, _) in enumerate(scores)} | added
    missing = [symbol for symbol in SPECIALS if symbol not in ids]
    if missing:
        raise InputError(f"{where}: found no {missing[0]}, expected {' '.join(SPECIALS)} among its symbols")
    spelt = [(symbol.removesuffix(UNREACHABLE_SUFFIX), score) for symbol, score in scores]
    _check_pieces(spelt, where)
    reachable = [entry for entry in scores if entry[0] not in added and not entry[0].endswith(UNREACHABLE_SUFFIX)]
    proto = _proto([entry for entry in reachable if entry[0] not in SPECIALS], charsmap)
    check(proto, where)
    return Parts(ids, proto.SerializeToString())


def added_tokens(tokens: Iterable[tuple[object, object]], where: str) -> dict[str, int]:
    """The ids of symbols that were added to a tokenizer.

    Raises:
        InputError: a symbol cannot be one, or its id is no row; or two ids are given to one.
    """
    added: dict[str, int] = {}
    for symbol, index in tokens:
        right = (
            isinstance(symbol, str) and isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 1 << 31
        )
        if not right or added.setdefault(symbol, index) != index:
            raise InputError(
                f"{where}: found the added token {symbol!r:.40} with the id {index!r:.40}, expected text and one id "
                "from 0 on; get the tokenizer of the model"
            )
    _check_pieces([(symbol, 0.0) for symbol in added], where)
    return added


def _check_pieces(pieces: Sequence[tuple[str, float]], where: str) -> None:
    """Raise ``InputError`` unless symbols are different, printable somehow, and have scores of log probabilities."""
    seen = set()
    for piece, score in pieces:
        broken = (
            not piece or "\0" in piece or len(piece) > LONGEST_PIECE or any("\ud800" <= c <= "\udfff" for c in piece)
        )
        if broken or piece in seen or not abs(score) <= LOWEST_SCORE:
            raise InputError(
                f"{where}: found the piece {piece!r:.40} with the score {score}, expected each once, of 1 to "
                f"{LONGEST_PIECE} characters, with a log probability; get the tokenizer of the model"
            )
        seen.add(piece)


def check(proto: ModelProto, where: str) -> None:
    """Raise ``InputError`` unless pieces and rules of normalisation of a SentencePiece model can be what they are."""
    _check_pieces([(piece.piece, piece.score) for piece in proto.pieces], where)
    charsmap = proto.normalizer_spec.precompiled_charsmap
    if charsmap and not _is_charsmap(charsmap):
        raise InputError(
            f"{where}: found damaged rules of normalisation (precompiled_charsmap), expected SentencePiece's; get the "
            "tokenizer of the model"
        )


def _is_charsmap(charsmap: bytes) -> bool:
    """Whether no text leads a reader of these rules beyond their end.

    They are the length of a trie in bytes, the trie, and texts that end with a zero byte. The trie is a double array of
    Darts-clone: of the unit ``i`` with the offset ``o`` and the byte ``c`` follows the unit ``i ^ o ^ c``, whose label
    must be ``c``; a unit with a leaf has the value in the unit ``i ^ o``.

    Source: https://github.com/s-yata/darts-clone; ``Normalizer`` of https://github.com/google/sentencepiece
    """
    size = int.from_bytes(charsmap[:4], "little")
    texts = charsmap[4 + size :]
    if size < 1024 or size % 1024 or not texts or texts[-1]:
        return False
    try:
        texts.decode("utf-8")
    except UnicodeDecodeError:
        return False
    units = np.frombuffer(charsmap, dtype="<u4", count=size // 4, offset=4).astype(np.int64)
    offsets = (units >> 10) << ((units & (1 << 9)) >> 6)
    inner = units >> 31 == 0  # the others are values
    following = (np.arange(len(units)) ^ offsets)[inner]
    if (following | 255).max(initial=0) >= len(units):
        return False
    leaves = following[(units[inner] >> 8) & 1 == 1]
    values = units[leaves] & ((1 << 31) - 1)
    starts = np.append(True, np.frombuffer(texts, dtype=np.uint8) == 0)  # a text begins here
    return bool((values < len(texts)).all() and starts[values].all())


def _charsmap(normalizer: dict | None, where: str) -> bytes:
    """SentencePiece's rules of normalisation; none: it only treats spaces."""
    if normalizer is None:
        return b""
    if normalizer["type"] not in NORMALIZERS:
        raise InputError(f"{where}: found normalizer {normalizer['type']}, expected SentencePiece's Precompiled alone")
    if normalizer["type"] == "Precompiled":
        return base64.b64decode(normalizer["precompiled_charsmap"] or "", validate=True)
    return b"".join(_charsmap(step, where) for step in normalizer.get("normalizers", ()))


def _proto(entries: Sequence[tuple[str, float]], charsmap: bytes) -> ModelProto:
    proto = ModelProto()
    proto.trainer_spec.model_type = TrainerSpec.UNIGRAM
    proto.trainer_spec.vocab_size = len(entries) + 3
    proto.normalizer_spec.name = "nmt_nfkc" if charsmap else "identity"
    proto.normalizer_spec.precompiled_charsmap = charsmap
    for symbol, kind in zip(("<unk>", "<s>", "</s>"), (2, 3, 3), strict=True):  # unknown, control
        proto.pieces.add(piece=symbol, score=0.0, type=kind)
    for symbol, score in entries:
        proto.pieces.add(piece=symbol, score=score)
    return proto


class Extension(NamedTuple):
    """A model with more pieces.

    Attributes:
        model: serialised.
        old: for each new piece, the pieces that it was written in before; none if it has an unknown character.
    """

    model: bytes
    old: dict[str, list[str]]


def extend(model: bytes, new: Iterable[str], where: str) -> Extension:
    """Add pieces after those of a model.

    The score of a new piece is the sum of the scores of the pieces that the model segments it into, and ``GAIN`` more
    for each piece that it saves: it wins over these, a longer one wins over a shorter one, and hardly anything else
    changes. The score is at least that of the lowest piece, so that unknown characters stay as dear as they were.

    Args:
        where: path of the list of pieces, for messages.

    Raises:
        InputError: a piece is there already or cannot be one; see also ``read_proto``.
    """
    proto = read_proto(model, "the SentencePiece model")
    scores = {piece.piece: piece.score for piece in proto.pieces[3:]}
    lowest, old = min(scores.values()), {}
    for piece in new:
        if piece.split() != [piece] or piece in subword.RESERVED or re.fullmatch("<mask:.*>", piece):
            raise InputError(f"{where}: found the piece {piece!r}, expected no white space and no special symbol")
        if piece in scores or piece in old:
            raise InputError(f"{where}: found the piece {piece!r} twice or in the vocabulary already; leave it out")
        written = segmentation(piece, scores, lowest - UNKNOWN_PENALTY)
        score = sum(scores.get(part, lowest - UNKNOWN_PENALTY) for part in written) + GAIN * (len(written) - 1)
        proto.pieces.add(piece=piece, score=max(score, lowest))
        old[piece] = written if scores.keys() >= set(written) else []
    proto.trainer_spec.vocab_size = len(proto.pieces)
    return Extension(proto.SerializeToString(), old)


def segmentation(piece: str, scores: dict[str, float], unknown: float) -> list[str]:
    """The segmentation of a piece with the highest sum of scores; a character that is in no piece is a part of its own.

    Args:
        scores: of each known piece.
        unknown: score of a character that is in no piece, below all of ``scores``.

    Example:
        >>> segmentation("abc", {"a": -1.0, "ab": -1.5, "b": -1.0}, unknown=-20.0)
        ['ab', 'c']
    """
    best = [(0.0, 0)]  # of each prefix: its score, and where its last piece starts
    for end in range(1, len(piece) + 1):
        ways = (
            (best[start][0] + scores[piece[start:end]], start) for start in range(end) if piece[start:end] in scores
        )
        best.append(max(ways, default=(best[end - 1][0] + unknown, end - 1)))
    parts, end = [], len(piece)
    while end:
        start = best[end][1]
        parts.insert(0, piece[start:end])
        end = start
    return parts
