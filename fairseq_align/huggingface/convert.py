"""Models to Hugging Face and back: ``fairseq_align.export`` and ``fairseq_align.import_model``.

Export writes ``config.json``, ``model.safetensors``, ``tokenizer.json``, ``tokenizer_config.json``,
``sentencepiece.bpe.model``, ``dict.txt`` and a model card. Import writes ``model.pt``, ``dict.txt``, ``spm.model`` and,
of a tagger or classifier, ``label/dict.txt``. A folder appears whole or not at all.
"""

from __future__ import annotations

import copy
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fairseq_align import files
from fairseq_align.errors import InputError, needed
from fairseq_align.files import check_free, new_folder
from fairseq_align.huggingface import UNKNOWN_LANG, adapters, fairseq_checkpoint, history, model_card, pretrained
from fairseq_align.huggingface.architecture import HEADS, Architecture, Model
from fairseq_align.huggingface.extend import extend
from fairseq_align.huggingface.keep import keep, restored
from fairseq_align.huggingface.pretrained import Pretrained
from fairseq_align.huggingface.sources import located
from fairseq_align.huggingface.xlm_roberta import XLM_ROBERTA
from fairseq_align.results import records
from fairseq_align.text import subword, vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary


logger = logging.getLogger(__name__)

MADE_OF = "fairseq_align"  # key of config.json, which transformers hands on as it is


@dataclass(frozen=True)
class Exported:
    """A model that was written for transformers.

    Attributes:
        folder: as it was given.
        model_class: of transformers.
        scores: how many the model card has.
    """

    folder: Path
    model_class: str
    architecture: Architecture
    scores: int


@dataclass(frozen=True)
class Imported:
    """A model that was written for fairseq.

    Attributes:
        folder: as it was given.
        task: of fairseq.
        flags: arguments of fairseq-train that build the model.
    """

    folder: Path
    task: str
    architecture: Architecture
    flags: tuple[str, ...]


def export(
    checkpoint: str | Path,
    out: str | Path,
    sentencepiece: str | Path,
    data: str | None = None,
    results: str | Path | None = None,
    model_type: str = XLM_ROBERTA.model_type,
    full_vocab: str | None = None,
) -> Exported:
    """Write a masked language model, tagger or sentence classifier as a folder that transformers loads.

    Args:
        checkpoint: of fairseq-train.
        out: folder to make.
        sentencepiece: model of the pre-training data, ``spm.model``.
        data: its data, with dict.txt and, of a classifier, label/dict.txt; None: as in the checkpoint.
        results: JSON-lines file; its scores of this checkpoint go on the model card. None: no scores.
        model_type: of ``adapters.ADAPTERS``.
        full_vocab: the model that was imported with ``keep_vocab``, folder, archive or name on the hub: the symbols
            that were left out come back, with its rows. None: the vocabulary stays as it is.

    Raises:
        InputError: the folder exists, an input is missing or damaged, transformers cannot express the model, or the
            extra hf is not installed; nothing is written.
    """
    folder = Path(os.path.abspath(out))
    check_free(folder)
    safetensors = needed("safetensors.torch")
    adapter = adapters.adapter_of(str(out), model_type)
    state = fairseq_checkpoint.read_torch(checkpoint)
    model = fairseq_checkpoint.from_fairseq(checkpoint, state)
    _, cfg = fairseq_checkpoint.settings(checkpoint, state)
    data_folder = _data_folder(checkpoint, cfg, data)
    dict_path, dictionary = dictionary_of(data_folder, model.architecture.vocabulary)
    if model.architecture.labels and model.architecture.head == "classifier":
        model = with_labels(model, data_folder)
    subword.load(sentencepiece)
    pieces = Path(sentencepiece).read_bytes()
    symbols = vocabulary.load(dict_path)
    known = known_vocabulary(checkpoint, state, dictionary, sentencepiece)
    if full_vocab:
        beside = next(parent for parent in folder.parents if parent.is_dir())
        with located(full_vocab, beside) as source_folder:
            full = pretrained.read(source_folder)
        model, symbols, pieces = restored(model, symbols, full, full_vocab)
        dictionary = with_mask(symbols)
        known = {"dict.txt": vocabulary.checksum(dictionary), "SentencePiece": files.checksum_of(pieces)}
    fast = adapter.tokenizer.build(pieces, dictionary, str(sentencepiece))
    checksum = records.checksum(checkpoint)
    scores = [record for record in records.latest(records.read(*filter(None, [results])))
              if record["checkpoint"] == checksum]  # fmt: skip
    model_class = adapter.classes[model.architecture.head]
    past = history.of(checkpoint, state)
    about = (folder.name, model_type, model_class, model.architecture, cfg, dictionary, checksum, scores, past)
    card = model_card.card(*about)
    config, tensors = adapters.to_huggingface(model, model_type)
    with new_folder(folder) as part:
        safetensors.save_file(tensors, part / "model.safetensors", metadata={"format": "pt"})
        _write_json(part / "config.json", config | {MADE_OF: known | {"pieces": len(vocabulary.pieces(dictionary))}})
        fast.save(str(part / "tokenizer.json"))
        _write_json(part / "tokenizer_config.json", adapter.tokenizer.config(model.architecture.positions))
        (part / "sentencepiece.bpe.model").write_bytes(pieces)
        vocabulary.save(symbols, part / "dict.txt")
        (part / "README.md").write_text(card, encoding="utf-8")
    return Exported(Path(out), model_class, model.architecture, len(scores))


def known_vocabulary(
    checkpoint: str | Path, state: dict, dictionary: Dictionary, sentencepiece: str | Path
) -> dict[str, str]:
    """Checksums of dict.txt and the SentencePiece model, compared with those of the training where it has them.

    Raises:
        InputError: they differ.
    """
    from fairseq_align.training import fingerprint

    known = {"dict.txt": vocabulary.checksum(dictionary), "SentencePiece": files.checksum(sentencepiece)}
    before = fingerprint.read(state)
    if before is None:
        logger.warning("%s has no fingerprints: whether dict.txt is that of its training is not known", checkpoint)
    else:
        fingerprint.compare_vocabulary(checkpoint, before, known)
    return known


def check_exported(folder: Path, dictionary: Dictionary) -> None:
    """Hold the vocabulary of a folder that ``export`` wrote against the checksums in it; folders of others have none.

    A vocabulary that has grown since, because transformers has added tokens, is that of another model.

    Raises:
        InputError: files of the folder were exchanged.
    """
    path = folder / "config.json"
    known = json.loads(path.read_text(encoding="utf-8")).get(MADE_OF) if path.is_file() else None
    known = known if isinstance(known, dict) else {}
    found = {}
    if known.get("pieces", 0) in (0, len(vocabulary.pieces(dictionary))):
        found["dict.txt"] = vocabulary.checksum(dictionary)
    if model := subword.beside(folder):
        found["SentencePiece"] = files.checksum(model)
    for name, present in found.items():
        if known.get(name, present) != present:
            raise InputError(
                f"{folder}: found a tokenizer of {name} {present}, expected {known[name]}, which config.json names; "
                "export the model again"
            )
    missing = [name for name in found if name not in known]
    if missing and path.is_file() and (folder / "dict.txt").is_file():  # which only export writes beside it
        logger.warning("%s has no checksum of %s: whether it is that of the training is not known", path, missing[0])


def _data_folder(checkpoint: str | Path, cfg: dict, data: str | None) -> Path:
    """The folder of the data of a checkpoint: the first of several that are separated by colons."""
    from fairseq import utils

    data = data or model_card.plain(cfg.get("task")).get("data")
    if not data:
        raise InputError(f"{checkpoint}: found no folder of data in its settings, expected one; name it with --data")
    return Path(utils.split_paths(str(data))[0])


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def with_labels(model: Model, folder: Path) -> Model:
    """A classifier with the names of its classes, from the data that it was trained on."""
    count = len(model.architecture.labels)
    path = folder / "label" / "dict.txt"
    names = vocabulary.pieces(vocabulary.load(path))
    if len(names) < count:
        raise InputError(f"{path}: found {len(names)} labels, expected the {count} of the checkpoint; check --data")
    return model._replace(architecture=replace(model.architecture, labels=tuple(names[:count])))


def dictionary_of(folder: Path, rows: int) -> tuple[Path, Dictionary]:
    """Path of the dict.txt of binarized data, and the vocabulary with the mask that every task adds.

    Raises:
        InputError: there is none, or the embeddings have another number of rows.
    """
    path = next((path for path in (folder / "dict.txt", folder / "input0" / "dict.txt") if path.is_file()), None)
    if path is None:
        raise InputError(f"{folder}: found no dict.txt, expected the data of the checkpoint; name it with --data")
    dictionary = with_mask(vocabulary.load(path))
    if len(dictionary) != rows:
        raise InputError(
            f"{path}: found {len(dictionary)} symbols with <mask>, expected the {rows} of the checkpoint; "
            "name the data it was trained on with --data"
        )
    return path, dictionary


def with_mask(symbols: Dictionary) -> Dictionary:
    """A copy of a vocabulary with the mask that every task adds."""
    dictionary = copy.deepcopy(symbols)
    dictionary.add_symbol(vocabulary.MASK)
    return dictionary


def import_model(
    source: str | Path,
    out: str | Path,
    extend_vocab: str | Path | None = None,
    extend_lexicon: str | Path | None = None,
    lang: str = UNKNOWN_LANG,
    keep_vocab: Sequence[str | Path] = (),
) -> Imported:
    """Write a model of Hugging Face, or fairseq's xlmr.base.tar.gz, as a checkpoint of fairseq with its vocabulary.

    Args:
        source: folder, archive of fairseq, or name on the hub.
        out: folder to make.
        extend_vocab: file of pieces to add, one a line; the first of a word begins with U+2581. None: none.
        extend_lexicon: bilingual dictionary of new pieces and words that the model knows: a new piece starts as the
            mean of these. None: as the mean of the pieces that it was segmented into.
        lang: language that a tagger or classifier was tuned on, which scores name.
        keep_vocab: texts, treebanks and dictionaries; only the rows that these need are kept, see ``keep.keep``. None:
            all are.

    Raises:
        InputError: the folder exists, or the source is missing, damaged or a model that fairseq's ``roberta`` cannot
            be; nothing is written.
    """
    folder = Path(os.path.abspath(out))
    check_free(folder)
    if extend_lexicon and not extend_vocab:
        raise InputError("--extend-lexicon: found it alone, expected --extend-vocab with the new pieces; give both")
    beside = next(parent for parent in folder.parents if parent.is_dir())
    with located(str(source), beside) as source_folder, history.collected("fairseq_align.huggingface") as changes:
        model = pretrained.read(source_folder)
        check_exported(source_folder, model.dictionary)
        if keep_vocab:
            model = keep(model, [Path(path) for path in keep_vocab])
        if extend_vocab:
            model = extend(model, Path(extend_vocab), Path(extend_lexicon) if extend_lexicon else None)
        write(model, folder, lang, history.record(str(source), source_folder, changes))
    size = model.model.architecture
    return Imported(Path(out), HEADS[size.head].task, size, tuple(fairseq_checkpoint.model_flags(size)))


def write(model: Pretrained, out: Path, lang: str, imported: dict) -> None:
    """Write a model as fairseq has it, with the ``history.record`` of its import."""
    architecture = model.model.architecture
    from fairseq_align.training import fingerprint

    state = fairseq_checkpoint.to_checkpoint(model.model, str(out), lang)
    sums = {"dict.txt": vocabulary.checksum(model.dictionary), "SentencePiece": files.checksum_of(model.pieces)}
    state["extra_state"][fingerprint.KEY] = {"vocabulary": sums}
    state["extra_state"][history.IMPORTED] = imported
    with new_folder(out) as part:
        torch.save(state, part / "model.pt")
        vocabulary.save(model.dictionary, part / "dict.txt")
        (part / "spm.model").write_bytes(model.pieces)
        if architecture.head == "classifier":  # where sentence_prediction looks for it
            (part / "input0").mkdir()
            vocabulary.save(model.dictionary, part / "input0" / "dict.txt")
        if architecture.labels:
            (part / "label").mkdir()
            vocabulary.save(vocabulary.of_symbols(architecture.labels), part / "label" / "dict.txt")
