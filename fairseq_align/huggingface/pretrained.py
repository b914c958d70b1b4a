"""A pre-trained model with its vocabulary, read from a folder of Hugging Face or of fairseq; its vocabulary extended.

Rows of the embeddings are put in fairseq's order: ``<s> <pad> </s> <unk>``, the pieces of SentencePiece, symbols that
no text gives, ``<mask>`` last. XLM-R has this order already.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fairseq.data import Dictionary
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from fairseq_align.errors import InputError, needed
from fairseq_align.files import read_lines
from fairseq_align.huggingface import fairseq_checkpoint as roberta
from fairseq_align.huggingface import tokenizer
from fairseq_align.huggingface import xlm_roberta as xlmr
from fairseq_align.huggingface.architecture import Model, with_rows
from fairseq_align.lexicon import formats
from fairseq_align.text import subword, vocabulary

logger = logging.getLogger(__name__)

SENTENCEPIECE = ("sentencepiece.bpe.model", "spm.model", "spiece.model")  # XLM-R's name, ours, that of other models


class Pretrained(NamedTuple):
    """A model in fairseq's order of rows.

    Attributes:
        dictionary: its symbols; where ``<mask>`` is not among them it is the last row, and every task adds it.
        pieces: SentencePiece model, serialised.
    """

    model: Model
    dictionary: Dictionary
    pieces: bytes


def read(folder: Path) -> Pretrained:
    """The model of a folder.

    Raises:
        InputError: it holds no model that fairseq's ``roberta`` can be, or something in it is damaged.
    """
    if (folder / "config.json").is_file():
        return _read_huggingface(folder)
    if (folder / "model.pt").is_file():
        return _read_fairseq(folder)
    raise InputError(f"{folder}: found neither config.json nor model.pt, expected a model; check the folder")


def _read_fairseq(folder: Path) -> Pretrained:
    path = folder / "model.pt"
    model = roberta.from_fairseq(path, roberta.read_torch(path))
    return _with_dictionary(model, folder, _sentencepiece(folder))


def _read_huggingface(folder: Path) -> Pretrained:
    model = xlmr.from_huggingface(str(folder), read_json(folder / "config.json"), read_weights(folder))
    pieces, document = _sentencepiece(folder), folder / "tokenizer.json"
    parts = tokenizer.parts(read_json(document), str(document)) if document.is_file() else None
    if parts is None and pieces is None:
        raise InputError(f"{folder}: found no tokenizer, expected {SENTENCEPIECE[0]} or tokenizer.json; copy it there")
    if (folder / "dict.txt").is_file():
        return _with_dictionary(model, folder, pieces or parts.model)
    if parts is None:
        return arranged(model, _ids(pieces), pieces, str(folder))
    if pieces and subword.pieces(_processor(pieces)) != subword.pieces(_processor(parts.model)):
        raise InputError(f"{folder}: found other pieces in tokenizer.json than in SentencePiece's model; remove one")
    return arranged(model, parts.ids, pieces or parts.model, str(folder))


def read_json(path: Path) -> dict:
    """A JSON object.

    Raises:
        InputError: the file is damaged or holds something else.
    """
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: found {error}, expected a JSON object; get a whole copy") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: found a {type(found).__name__}, expected a JSON object; get a whole copy")
    return found


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Tensors of ``model.safetensors`` or ``pytorch_model.bin``, or of the shards that their index names.

    Raises:
        InputError: there are none, or a file is damaged or holds more than tensors.
    """
    for name, read_file in (("model.safetensors", _read_safetensors), ("pytorch_model.bin", roberta.read_torch)):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return _tensors(folder / name, read_file)
        if index.is_file():
            shards = read_json(index).get("weight_map")
            names = sorted(set(shards.values())) if isinstance(shards, dict) else []
            if not names or not all(isinstance(shard, str) and Path(shard).name == shard for shard in names):
                raise InputError(f"{index}: found no shards in this folder, expected weight_map; get a whole copy")
            return {key: value for shard in names for key, value in _tensors(folder / shard, read_file).items()}
    raise InputError(f"{folder}: found no weights, expected model.safetensors or pytorch_model.bin; copy them there")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    library = needed("safetensors")
    try:
        return needed("safetensors.torch").load_file(path)
    except (library.SafetensorError, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: found {error}, expected whole safetensors; get the file again") from error


def _tensors(path: Path, read_file: Callable[[Path], dict]) -> dict[str, Tensor]:
    found = read_file(path)
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in found.items()):
        raise InputError(f"{path}: found more than tensors, expected weights alone; get the weights of the model")
    return found


def _sentencepiece(folder: Path) -> bytes | None:
    path = next((folder / name for name in SENTENCEPIECE if (folder / name).is_file()), None)
    if path is not None:
        subword.load(path)
    return path and path.read_bytes()


def _processor(pieces: bytes) -> SentencePieceProcessor:
    return SentencePieceProcessor(model_proto=pieces)


def _ids(pieces: bytes) -> dict[str, int]:
    """XLM-R's ids of a SentencePiece model: those of fairseq."""
    names = [*tokenizer.SPECIALS, *subword.pieces(_processor(pieces)), vocabulary.MASK]
    return {symbol: index for index, symbol in enumerate(names)}


def _with_dictionary(model: Model, folder: Path, pieces: bytes | None) -> Pretrained:
    """The vocabulary of a dict.txt, in the order of the rows already."""
    path = folder / "dict.txt"
    dictionary, rows = vocabulary.load(path), model.architecture.vocabulary
    if pieces is None:
        raise InputError(f"{folder}: found no SentencePiece model, expected {SENTENCEPIECE[0]}; copy it there")
    found = len(dictionary) + (vocabulary.MASK not in dictionary)
    if found != rows:
        raise InputError(f"{path}: found {found} symbols with <mask>, expected {rows}, a row for each; get its own")
    missing = next((piece for piece in subword.pieces(_processor(pieces)) if piece not in dictionary), None)
    if missing is not None:
        raise InputError(f"{path}: found no {missing!r}, expected all pieces of the SentencePiece model; get its own")
    return Pretrained(model, dictionary, pieces)


def arranged(model: Model, ids: dict[str, int], pieces: bytes, where: str) -> Pretrained:
    """The model with its rows in fairseq's order; rows that no symbol names are left out.

    Args:
        ids: row of each symbol.

    Raises:
        InputError: a symbol has no row, or the vocabulary no ``<mask>``.
    """
    rows = model.architecture.vocabulary
    if vocabulary.MASK not in ids:
        raise InputError(f"{where}: found no <mask> among its symbols, expected XLM-R's; get its own tokenizer")
    if max(ids.values()) >= rows:
        raise InputError(
            f"{where}: found {max(ids.values()) + 1} symbols and {rows} rows of embeddings, expected a row for each; "
            "get tokenizer and weights of one model"
        )
    dictionary = subword.to_dictionary(_processor(pieces))
    others = [symbol for symbol in sorted(ids, key=ids.get) if symbol not in dictionary and symbol != vocabulary.MASK]
    for symbol in sorted(others, key=lambda symbol: symbol.startswith("<mask:")):  # masks of languages come last
        dictionary.add_symbol(symbol)
    order = [ids[symbol] for symbol in [*dictionary.symbols, vocabulary.MASK]]
    if rows > len(order):
        logger.info("%s: %d rows without a symbol are left out", where, rows - len(order))
    return Pretrained(model if order == list(range(rows)) else with_rows(model, order), dictionary, pieces)


def extend(found: Pretrained, pieces_path: Path, lexicon_path: Path | None) -> Pretrained:
    """Add pieces to the vocabulary, behind those of the SentencePiece model.

    The row of a new piece starts as the mean of the rows of its translations' pieces, if the word list has it, else of
    the pieces that it was written in before, else (it has an unknown character) of all pieces.

    Args:
        pieces_path: one piece a line, the first of a word with U+2581.
        lexicon_path: pairs of a new piece, with or without its U+2581, and a word that the model knows.

    Raises:
        InputError: a piece cannot be one, or the vocabulary has derived pieces.
    """
    if vocabulary.derived_size(found.dictionary) is not None:
        raise InputError(
            f"{pieces_path}: found a vocabulary with derived pieces, expected none; extend before deriving"
        )
    new = [line for _, line in read_lines(pieces_path) if line]
    extension = tokenizer.extend(found.pieces, new, str(pieces_path))
    translations = _translations(lexicon_path, _processor(found.pieces)) if lexicon_path else {}
    old, end = found.dictionary, found.dictionary.nspecial + len(subword.pieces(_processor(found.pieces)))
    rows: list = list(range(end))
    counts = dict.fromkeys(("translations", "old pieces", "all pieces"), 0)
    for piece in new:
        ways = {
            "translations": translations.get(piece.removeprefix(vocabulary.WORD_START), ()),
            "old pieces": extension.old[piece],
            "all pieces": old.symbols[old.nspecial : end],
        }
        start, parts = next((start, parts) for start, parts in ways.items() if parts)
        counts[start] += 1
        rows.append([old.index(part) for part in parts])
    logger.info("%s: %d pieces; they start as the mean of: %s", pieces_path, len(new), counts)
    extended = vocabulary.head(old, end - old.nspecial)
    for symbol in (*new, *old.symbols[end:]):
        extended.add_symbol(symbol)
    rows += range(end, found.model.architecture.vocabulary)
    return Pretrained(with_rows(found.model, rows), extended, extension.model)


def _translations(path: Path, processor: SentencePieceProcessor) -> dict[str, list[str]]:
    """Known pieces of the translations of each word of a word list, without its U+2581."""
    found = defaultdict(list)
    for pair in formats.read(path):
        parts = (part for word in subword.encode_words(processor, pair.target.split()) for part in word)
        found[pair.source.removeprefix(vocabulary.WORD_START)] += [part for part in parts if part != subword.UNKNOWN]
    return found
