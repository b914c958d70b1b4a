"""A pre-trained model with its vocabulary, read from a folder of Hugging Face or of fairseq.

Rows of the embeddings are put in fairseq's order: ``<s> <pad> </s> <unk>``, the pieces of SentencePiece, symbols that
no text is tokenized into, ``<mask>`` last. XLM-R has this order already.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from fairseq_align.errors import InputError, needed, reason_of
from fairseq_align.files import read_json
from fairseq_align.huggingface import fairseq_checkpoint, tokenizer
from fairseq_align.huggingface.adapters import adapter_of, from_huggingface
from fairseq_align.huggingface.architecture import Model, check_stored, with_rows
from fairseq_align.text import subword, vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary
    from sentencepiece import SentencePieceProcessor

logger = logging.getLogger(__name__)

JSON = "a JSON object; get a whole copy"
MOST_TOKENIZER = 1 << 27  # bytes of tokenizer.json; XLM-R's has nine million, one of a million symbols fifty
MOST_HEADER = 1 << 22  # bytes of the header of safetensors; a model of 400 tensors has 50,000
SENTENCEPIECE = ("sentencepiece.bpe.model", "spm.model", "spiece.model")  # names of XLM-R, this project, other models


class Pretrained(NamedTuple):
    """A model in fairseq's order of rows.

    Attributes:
        dictionary: its symbols; where ``<mask>`` is not among them, it is the last row, and every task adds it.
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
    model = fairseq_checkpoint.from_fairseq(path, fairseq_checkpoint.read_torch(path))
    return _with_dictionary(model, folder, _sentencepiece(folder))


def _read_huggingface(folder: Path) -> Pretrained:
    config = read_json(folder / "config.json", JSON)
    spelling = adapter_of(str(folder), config.get("model_type")).tokenizer
    model = from_huggingface(str(folder), config, read_weights(folder))
    pieces, document = _sentencepiece(folder), folder / "tokenizer.json"
    parts = spelling.parts(read_json(document, JSON, MOST_TOKENIZER), str(document)) if document.is_file() else None
    if parts is None and pieces is None:
        raise InputError(f"{folder}: found no tokenizer, expected {SENTENCEPIECE[0]} or tokenizer.json; copy it there")
    if (folder / "dict.txt").is_file():
        return _with_dictionary(model, folder, pieces or parts.model)
    if parts is None:
        return arranged(model, spelling.ids(pieces) | _added(folder), pieces, str(folder))
    if pieces and subword.pieces(processor_of(pieces)) != subword.pieces(processor_of(parts.model)):
        raise InputError(f"{folder}: found other pieces in tokenizer.json than in SentencePiece's model; remove one")
    return arranged(model, parts.ids, pieces or parts.model, str(folder))


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Tensors of ``model.safetensors`` or ``pytorch_model.bin``, or of the shards that their index names.

    Raises:
        InputError: there are none, or a file is damaged or holds more than tensors.
    """
    readers = {"model.safetensors": _read_safetensors, "pytorch_model.bin": fairseq_checkpoint.read_torch}
    for name, read_file in readers.items():
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return _tensors(folder / name, read_file)
        if index.is_file():
            shards = read_json(index, JSON).get("weight_map")
            found = list(shards.values()) if isinstance(shards, dict) else []
            names = sorted(set(found)) if all(isinstance(shard, str) for shard in found) else []
            if not names or not all(shard and Path(shard).name == shard and "\0" not in shard for shard in names):
                raise InputError(f"{index}: found no shards in this folder, expected weight_map; get a whole copy")
            return {key: value for shard in names for key, value in _tensors(folder / shard, read_file).items()}
    raise InputError(f"{folder}: found no weights, expected model.safetensors or pytorch_model.bin; copy them there")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    library = needed("safetensors")
    try:
        with open(path, "rb") as file:
            (header,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        if header > MOST_HEADER:
            raise ValueError(f"a header of {header:,} bytes")
        return needed("safetensors.torch").load_file(path)
    except (library.SafetensorError, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: found {reason_of(error)}, expected whole safetensors; get the file again") from error


def _tensors(path: Path, read_file: Callable[[Path], dict]) -> dict[str, Tensor]:
    return check_stored(path, read_file(path))


def _added(folder: Path) -> dict[str, int]:
    """Symbols that a tokenizer without tokenizer.json has besides those of its SentencePiece model, with their rows.

    They stand in added_tokens.json, or in tokenizer_config.json by their ids.

    Raises:
        InputError: a file is damaged.
    """
    path = folder / "added_tokens.json"
    if path.is_file():
        return tokenizer.added_tokens(read_json(path, JSON).items(), str(path))
    path = folder / "tokenizer_config.json"
    decoder = read_json(path, JSON).get("added_tokens_decoder") if path.is_file() else None
    if not isinstance(decoder, dict):
        return {}
    pairs = [
        (
            token.get("content") if isinstance(token, dict) else None,
            int(row) if row.isdecimal() and len(row) < 10 else None,
        )
        for row, token in decoder.items()
    ]
    return tokenizer.added_tokens(pairs, str(path))


def _sentencepiece(folder: Path) -> bytes | None:
    path = next((folder / name for name in SENTENCEPIECE if (folder / name).is_file()), None)
    if path is not None:
        subword.load(path)
        tokenizer.check(tokenizer.ModelProto.FromString(path.read_bytes()), str(path))
    return path and path.read_bytes()


def processor_of(pieces: bytes) -> SentencePieceProcessor:
    """The encoder of a serialised SentencePiece model."""
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_proto=pieces)


def _with_dictionary(model: Model, folder: Path, pieces: bytes | None) -> Pretrained:
    """The model with the vocabulary of a dict.txt, whose order is that of the rows already."""
    path = folder / "dict.txt"
    dictionary, rows = vocabulary.load(path), model.architecture.vocabulary
    if pieces is None:
        raise InputError(f"{folder}: found no SentencePiece model, expected {SENTENCEPIECE[0]}; copy it there")
    symbols = len(dictionary) + (vocabulary.MASK not in dictionary)
    if symbols != rows:
        raise InputError(f"{path}: found {symbols} symbols with <mask>, expected {rows}, a row for each; get its own")
    missing = next((piece for piece in subword.pieces(processor_of(pieces)) if piece not in dictionary), None)
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
    dictionary = subword.to_dictionary(processor_of(pieces))
    others = [symbol for symbol in sorted(ids, key=ids.get) if symbol not in dictionary and symbol != vocabulary.MASK]
    for symbol in sorted(others, key=lambda symbol: symbol.startswith("<mask:")):  # masks of languages come last
        dictionary.add_symbol(symbol)
    order = [ids[symbol] for symbol in [*dictionary.symbols, vocabulary.MASK]]
    if rows > len(order):
        logger.info("%s: %d rows without a symbol are left out", where, rows - len(order))
    return Pretrained(model if order == list(range(rows)) else with_rows(model, order), dictionary, pieces)
