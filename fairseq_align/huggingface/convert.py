"""Models to Hugging Face and back: ``fairseq-align export`` and ``fairseq-align import``.

Export writes ``config.json``, ``model.safetensors``, ``tokenizer.json``, ``tokenizer_config.json``,
``sentencepiece.bpe.model``, ``dict.txt`` and a model card. Import writes ``model.pt``, ``dict.txt``, ``spm.model`` and,
of a tagger or classifier, ``label/dict.txt``. A folder appears whole or not at all. Nothing that could run code is
unpickled.
"""

import argparse
import json
import logging
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from fairseq import utils
from fairseq.data import Dictionary

from fairseq_align.errors import InputError, needed
from fairseq_align.huggingface import fairseq_checkpoint as roberta
from fairseq_align.huggingface import model_card as modelcard
from fairseq_align.huggingface import pretrained, tokenizer
from fairseq_align.huggingface import xlm_roberta as xlmr
from fairseq_align.huggingface.architecture import Model
from fairseq_align.huggingface.pretrained import Pretrained
from fairseq_align.results import records as results
from fairseq_align.text import subword, vocabulary

logger = logging.getLogger(__name__)

FAIRSEQ_FILES = ("model.pt", "dict.txt", "sentencepiece.bpe.model")  # of xlmr.base.tar.gz
HUB_FILES = ("*.json", "*.safetensors", "*.model")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+|[\w-][\w.-]*")


def check_free(out: Path) -> None:
    """Raise ``InputError`` if something is there."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out}: found something there, expected a new folder; remove it or name another one")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill; it appears under its name only when the block ends without an error."""
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    part.mkdir(parents=True)
    try:
        yield part
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def with_labels(model: Model, folder: Path) -> Model:
    """The names of a classifier's classes, from the data that it was trained on."""
    count = len(model.architecture.labels)
    path = folder / "label" / "dict.txt"
    names = vocabulary.pieces(vocabulary.load(path))
    if len(names) < count:
        raise InputError(f"{path}: found {len(names)} labels, expected the {count} of the checkpoint; check --data")
    return model._replace(architecture=replace(model.architecture, labels=tuple(names[:count])))


def dictionary_of(folder: Path, rows: int) -> tuple[Path, Dictionary]:
    """dict.txt of binarized data, and the vocabulary with the mask that every task adds.

    Raises:
        InputError: there is none, or the embeddings have another number of rows.
    """
    path = next((path for path in (folder / "dict.txt", folder / "input0" / "dict.txt") if path.is_file()), None)
    if path is None:
        raise InputError(f"{folder}: found no dict.txt, expected the data of the checkpoint; name it with --data")
    dictionary = vocabulary.load(path)
    dictionary.add_symbol(vocabulary.MASK)
    if len(dictionary) != rows:
        raise InputError(
            f"{path}: found {len(dictionary)} symbols with <mask>, expected the {rows} of the checkpoint; "
            "name the data it was trained on with --data"
        )
    return path, dictionary


def export(args: argparse.Namespace) -> None:
    out = Path(os.path.abspath(args.out))
    check_free(out)
    safetensors = needed("safetensors.torch")
    state = roberta.read_torch(args.checkpoint)
    model = roberta.from_fairseq(args.checkpoint, state)
    _, cfg = roberta.settings(args.checkpoint, state)
    data = args.data or modelcard.plain(cfg.get("task")).get("data")
    if not data:
        raise InputError(
            f"{args.checkpoint}: found no folder of data in its settings, expected one; name it with --data"
        )
    folder = Path(utils.split_paths(data)[0])
    dict_path, dictionary = dictionary_of(folder, model.architecture.vocabulary)
    if model.architecture.head == "classifier":
        model = with_labels(model, folder)
    subword.load(args.model)
    pieces = args.model.read_bytes()
    fast = tokenizer.build(pieces, dictionary, str(args.model))
    checksum = results.checksum(args.checkpoint)
    scores = results.latest(results.read(args.results)) if args.results else []
    scores = [record for record in scores if record["checkpoint"] == checksum]
    card = modelcard.card(out.name, model.architecture, cfg, dictionary, checksum, scores)
    with new_folder(out) as part:
        safetensors.save_file(xlmr.to_huggingface(model), part / "model.safetensors", metadata={"format": "pt"})
        write_json(part / "config.json", xlmr.to_config(model.architecture))
        fast.save(str(part / "tokenizer.json"))
        write_json(part / "tokenizer_config.json", tokenizer.settings(model.architecture.positions))
        (part / "sentencepiece.bpe.model").write_bytes(pieces)
        shutil.copyfile(dict_path, part / "dict.txt")
        (part / "README.md").write_text(card, encoding="utf-8")
    print(
        f"{args.out}: {xlmr.CLASSES[model.architecture.head]}, {model.architecture.vocabulary:,} symbols, "
        f"{len(scores)} scores in the model card"
    )


def unpack(archive: Path, folder: Path) -> None:
    """Take fairseq's files out of an archive, whatever folder they are in.

    Raises:
        InputError: it is damaged, or a member is no plain file or folder inside the archive.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = Path(member.name)
                if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                    raise InputError(f"{archive}: found {member.name!r}, expected plain files inside; do not unpack it")
                if member.isfile() and path.name in FAIRSEQ_FILES:
                    with open(folder / path.name, "wb") as file:
                        shutil.copyfileobj(tar.extractfile(member), file)
    except (tarfile.TarError, OSError, EOFError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{archive}: found {reason}, expected a whole archive; check its checksum") from error


def download(name: str) -> Path:
    """The folder of a model of the hub, from its cache where it was downloaded before.

    Raises:
        InputError: there is no such model, or no network.
    """
    if not _HUB_NAME.fullmatch(name):
        raise InputError(f"{name}: found nothing there, expected a folder, an archive or a model of the hub")
    hub = needed("huggingface_hub")
    try:
        folder = Path(hub.snapshot_download(name, allow_patterns=list(HUB_FILES), ignore_patterns="*/*"))
        if not list(folder.glob("*.safetensors")):
            hub.snapshot_download(name, allow_patterns="pytorch_model*.bin*", ignore_patterns="*/*")
        return folder
    except (OSError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"{name}: found no such folder, and no model of the hub ({reason:.160}); check the name and the network"
        ) from error


@contextmanager
def located(source: str, beside: Path) -> Iterator[Path]:
    """The folder of a model: itself, an archive's content for the time of the block, or the hub's cache."""
    path = Path(source)
    if path.is_file():
        with tempfile.TemporaryDirectory(dir=beside) as folder:
            unpack(path, Path(folder))
            yield Path(folder)
    else:
        with nullcontext(path if path.is_dir() else download(source)) as folder:
            yield folder


def import_model(args: argparse.Namespace) -> None:
    out = Path(os.path.abspath(args.out))
    check_free(out)
    if args.extend_lexicon and not args.extend_vocab:
        raise InputError("--extend-lexicon: found it alone, expected --extend-vocab with the new pieces; give both")
    beside = next(parent for parent in out.parents if parent.is_dir())
    with located(args.source, beside) as folder:
        found = pretrained.read(folder)
        if args.extend_vocab:
            found = pretrained.extend(found, args.extend_vocab, args.extend_lexicon)
        write(found, out, args.lang)
    size = found.model.architecture
    print(f"{args.out}: {roberta.TASKS[size.head]}, {size.vocabulary:,} symbols, {size.layers} layers of {size.dim}")
    print("train it with " + " ".join(roberta.model_flags(size)))


def write(found: Pretrained, out: Path, lang: str) -> None:
    """Write a model as fairseq has it."""
    state = roberta.to_checkpoint(found.model, str(out), lang)
    with new_folder(out) as part:
        torch.save(state, part / "model.pt")
        vocabulary.save(found.dictionary, part / "dict.txt")
        (part / "spm.model").write_bytes(found.pieces)
        if found.model.architecture.head == "classifier":  # where sentence_prediction looks for it
            (part / "input0").mkdir()
            vocabulary.save(found.dictionary, part / "input0" / "dict.txt")
        if found.model.architecture.labels:
            (part / "label").mkdir()
            vocabulary.save(vocabulary.of_symbols(found.model.architecture.labels), part / "label" / "dict.txt")


def add_export_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "export",
        help="a checkpoint as a Hugging Face model",
        description="Write a masked language model, tagger or sentence classifier as a folder that transformers loads.",
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint of fairseq-train")
    parser.add_argument("out", metavar="DIR", help="folder to make")
    parser.add_argument("--model", type=Path, required=True, help="spm.model of the pre-training data")
    parser.add_argument("--data", help="its data, with dict.txt and label/dict.txt; not given: as in the checkpoint")
    parser.add_argument("--results", type=Path, help="JSON-lines file whose scores of this checkpoint go on the card")
    parser.set_defaults(func=export)


def add_import_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "import",
        help="XLM-R, or any model of its architecture, as a fairseq checkpoint",
        description="Read a model of Hugging Face or fairseq's xlmr.base.tar.gz; write model.pt, dict.txt, spm.model.",
    )
    parser.add_argument("source", metavar="DIR_OR_NAME", help="folder, archive of fairseq, or name on the hub")
    parser.add_argument("out", metavar="OUT", help="folder to make")
    parser.add_argument(
        "--extend-vocab",
        type=Path,
        metavar="FILE",
        help="pieces to add, one a line; the first of a word begins with U+2581; not given: none",
    )
    parser.add_argument(
        "--extend-lexicon",
        type=Path,
        metavar="FILE",
        help="word list of new pieces and words that the model knows: a new piece starts as the mean of these; "
        "not given: as the mean of the pieces that it was written in",
    )
    parser.add_argument(
        "--lang",
        default=roberta.UNKNOWN_LANG,
        help="language that a tagger or classifier was tuned on, which scores name (default: %(default)s)",
    )
    parser.set_defaults(func=import_model)
