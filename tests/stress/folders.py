"""Folders of models that a stranger may send: a good one, changed in one place each."""

import base64
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch

from tests.stress import fuzz

FACTOR = 20  # times the size of the files that import may take, besides ``fuzz.CONSTANT``
DEEP = "[" * 100_000
NUMBERS = (10**9, 2**63, 10**400, -1, 0, 1e308, True, None, "many", [], {}, 0.5)
SIZES = (
    "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "max_position_embeddings",
)  # fmt: skip
SCORES = ("NaN", "Infinity", "-Infinity", "1e308", "1e999", "null", '"x"', "[]", "9" * 400)
PIECES = ("", "a\0b", "\ud800", "x" * 100_000, "▁a b", "▁a\n")


def _json(name: str, **values) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | values))

    return change


def _raw(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content)


def _vocabulary(change: Callable[[list], object]) -> Callable[[Path], None]:
    """tokenizer.json with other entries; JSON is written by hand, as NaN and large numbers are."""

    def changed(folder: Path) -> None:
        document = json.loads((folder / "tokenizer.json").read_text())
        change(document["model"]["vocab"])
        (folder / "tokenizer.json").write_text(json.dumps(document))

    return changed


def _score(text: str) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        document = json.loads((folder / "tokenizer.json").read_text())
        document["model"]["vocab"][7][1] = "SCORE"
        (folder / "tokenizer.json").write_text(json.dumps(document).replace('"SCORE"', text))

    return changed


def _charsmap(charsmap: bytes) -> Callable[[Path], None]:
    rules = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()}
    return _json("tokenizer.json", normalizer=rules)


def _proto(change: Callable) -> Callable[[Path], None]:
    """Another SentencePiece model, and no tokenizer.json beside it."""

    def changed(folder: Path) -> None:
        from sentencepiece.sentencepiece_model_pb2 import ModelProto

        path = folder / "sentencepiece.bpe.model"
        proto = ModelProto.FromString(path.read_bytes())
        change(proto)
        path.write_bytes(proto.SerializeToString())
        (folder / "tokenizer.json").unlink()

    return changed


def _header(header: bytes, claimed: int | None = None) -> Callable[[Path], None]:
    size = len(header) if claimed is None else claimed
    return _raw("model.safetensors", struct.pack("<Q", size) + header)


def _tensors(change: Callable[[dict], object], file: str = "model.safetensors") -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        safetensors = import_module("safetensors.torch")  # of the extra hf
        tensors = safetensors.load_file(folder / "model.safetensors")
        change(tensors)
        if file.endswith(".bin"):
            (folder / "model.safetensors").unlink()
            torch.save(tensors, folder / file)
        else:
            safetensors.save_file(tensors, folder / file)

    return changed


def _packed_pickle(folder: Path) -> None:
    """An archive of torch.save whose storage is compressed zeros, a hundred times the size of the file."""
    (folder / "model.safetensors").unlink()
    plain = io.BytesIO()
    torch.save({"a": torch.zeros(1 << 26)}, plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for name in source.namelist():
            out.writestr(name, source.read(name))


WORDS = "roberta.embeddings.word_embeddings.weight"
POSITIONS = "roberta.embeddings.position_embeddings.weight"
SEGMENTS = "roberta.embeddings.token_type_embeddings.weight"
UNITS = b"\0\0\0\0" * 256


def cases() -> dict[str, Callable[[Path], object]]:
    """What is changed, by its name; most of it is refused, none may end in another way."""
    found = {f"{name} {number!r:.30}": _json("config.json", **{name: number}) for name in SIZES for number in NUMBERS}
    for name in (
        "vocab_size",
        "layer_norm_eps",
        "hidden_dropout_prob",
        "classifier_dropout",
        "pad_token_id",
        "id2label",
    ):
        found |= {f"{name} {number!r:.30}": _json("config.json", **{name: number}) for number in NUMBERS}
    for name in ("model_type", "hidden_act", "architectures", "position_embedding_type", "problem_type"):
        found |= {f"{name} {value!r:.30}": _json("config.json", **{name: value})
                  for value in ([], {}, 7, "\ud800", "x" * 100_000, ["XLMRobertaForMultipleChoice"])}  # fmt: skip
    for file in ("config.json", "tokenizer.json"):
        contents = (b"", b"[1]", b"null", b"9" * 5000, b"\xff\xfe", DEEP.encode(), b'{"a":' * 100_000, b"[{" * 10**6)
        found |= {f"{file} {content!r:.20}": _raw(file, content) for content in contents}
    found |= {f"score {score:.20}": _score(score) for score in SCORES}
    for piece in PIECES:
        found[f"piece {piece!r:.20}"] = _vocabulary(lambda entries, piece=piece: entries.append([piece, -1.0]))
    found["piece twice"] = _vocabulary(lambda entries: entries.append(entries[9]))
    found["pieces none"] = _vocabulary(list.clear)
    found["pieces alone"] = _vocabulary(lambda entries: entries.append(["lonely"]))
    for index in (-1, -(10**9), 10**9, 2**63, 1e308, True, None, "7", []):
        token = {"id": index, "content": "<x>"}
        found[f"added {index!r}"] = _json("tokenizer.json", added_tokens=[{"id": 61, "content": "<mask>"}, token])
        found[f"slow {index!r}"] = lambda folder, index=index: (
            (folder / "tokenizer.json").unlink(),
            (folder / "added_tokens.json").write_text(json.dumps({"<x>": index})),
        )
    found["added twice"] = _json("tokenizer.json", added_tokens=[{"id": n, "content": "<mask>"} for n in (60, 61)])
    found["added none"] = _json("tokenizer.json", added_tokens=[{}])
    deep = {"type": "Sequence", "normalizers": []}
    for _ in range(200):
        deep = {"type": "Sequence", "normalizers": [deep]}
    found["normalizers deep"] = _json("tokenizer.json", normalizer=deep)
    for name, charsmap in {
        "short": b"\1", "length": struct.pack("<I", 1 << 30) + b"a\0", "odd": struct.pack("<I", 7) + b"1234567\0",
        "no texts": struct.pack("<I", 1024) + UNITS,
        "beyond": struct.pack("<I", 1024) + b"\xff\xff\xff\x7f" * 256 + b"\0",
        "leaf": struct.pack("<I", 1024) + struct.pack("<I", 1 << 8) * 256 + b"a\0",
        "no end": struct.pack("<I", 1024) + UNITS + b"a", "not utf-8": struct.pack("<I", 1024) + UNITS + b"\xff\0",
        "noise": b"\x00\x04\x00\x00" + bytes(range(256)) * 4 + b"a\0",
    }.items():  # fmt: skip
        found[f"charsmap {name}"] = _charsmap(charsmap)
        found[f"charsmap of the model, {name}"] = _proto(
            lambda proto, charsmap=charsmap: setattr(proto.normalizer_spec, "precompiled_charsmap", charsmap)
        )
    found["charsmap no base64"] = _json(
        "tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": "?"}
    )
    for score in (float("nan"), float("inf"), -3e38):
        found[f"score of the model {score}"] = _proto(
            lambda proto, score=score: setattr(proto.pieces[9], "score", score)
        )
    for piece in ("", "a\0b", "x" * 10_000, "▁a b"):
        found[f"piece of the model {piece!r:.20}"] = _proto(
            lambda proto, piece=piece: setattr(proto.pieces[9], "piece", piece)
        )
    names = {f"t{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(100_000)}
    found["safetensors, many names"] = _header(json.dumps(names).encode())
    found["safetensors, header beyond"] = _header(b"{}", 1 << 40)
    found["safetensors, short"] = _raw("model.safetensors", b"\1\0")
    found["safetensors, deep"] = _header(DEEP.encode())
    huge = {WORDS: {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 4]}}
    found["safetensors, shape beyond"] = _header(json.dumps(huge).encode() + b"1234")
    found["pickle, repeated rows"] = _tensors(
        lambda tensors: tensors.update({WORDS: torch.zeros(1, 16).expand(1 << 32, 16)}), "pytorch_model.bin"
    )
    found["pickle, compressed"] = _packed_pickle
    found["pickle, no tensors"] = _tensors(lambda tensors: tensors.update({WORDS: {"a": 1}}), "pytorch_model.bin")
    found["pickle, sparse"] = _tensors(
        lambda tensors: tensors.update({WORDS: torch.zeros(62, 16).to_sparse()}), "pytorch_model.bin"
    )
    for name in (WORDS, POSITIONS, SEGMENTS, "lm_head.bias", "lm_head.dense.weight"):
        for shape in ((), (0,), (3,), (0, 16), (2, 3), (2, 16, 2)):
            found[f"{name} {shape}"] = _tensors(lambda tensors, n=name, s=shape: tensors.update({n: torch.zeros(s)}))
    found["weights NaN"] = _tensors(lambda tensors: [tensor.fill_(torch.nan) for tensor in tensors.values()])
    for value in ({"a": []}, {"a": {}}, {"a": ""}, {"a": "."}, {"a": "x\0"}, {"a": "none.safetensors"}, [], {}):
        found[f"weight_map {value!r}"] = lambda folder, value=value: (
            (folder / "model.safetensors").unlink(),
            (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": value})),
        )
    for width in (10**6, 10**9):  # a head as wide as the settings say would take 4 TB
        found[f"a head of nothing, {width}"] = lambda folder, width=width: (
            _json("config.json", hidden_size=width, num_attention_heads=1)(folder),
            _tensors(lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("lm_head")])(
                folder
            ),
        )
    return found


def archives() -> dict[str, Callable[[Path], Path]]:
    """Archives of fairseq, made in a folder."""

    def bomb(folder: Path) -> Path:
        with tarfile.open(folder / "x.tar.gz", "w:gz", compresslevel=9) as tar:
            info = tarfile.TarInfo("xlmr/model.pt")
            info.size = 1 << 28
            tar.addfile(info, io.BytesIO(b"\0" * info.size))
        return folder / "x.tar.gz"

    def no_archive(folder: Path) -> Path:
        (folder / "x.tar.gz").write_bytes(b"\x1f\x8b" + b"\0" * 99)
        return folder / "x.tar.gz"

    def long_name(folder: Path) -> Path:
        """A header that says that a name of a gigabyte follows."""
        info = tarfile.TarInfo("x")
        info.type, info.size = tarfile.XHDTYPE, 1 << 30
        (folder / "x.tar").write_bytes(info.tobuf() + b"\0" * 512)
        return folder / "x.tar"

    return {"bomb": bomb, "no archive": no_archive, "long name": long_name}


def answer(folder: Path) -> tuple[int, int, str]:
    """What import answers to a folder or an archive, in a process of its own: see ``fuzz.measured``."""
    from fairseq_align.huggingface import pretrained
    from fairseq_align.huggingface.sources import located

    def read(path: Path) -> None:
        with located(str(path), path.parent) as source:
            pretrained.read(source)

    files = [folder] if folder.is_file() else [path for path in folder.iterdir() if path.is_file()]
    return sum(path.stat().st_size for path in files), *fuzz.measured(read, folder)
