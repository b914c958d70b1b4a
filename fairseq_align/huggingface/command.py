"""The commands ``fairseq-align export`` and ``import``; imports nothing heavy, so that help answers at once."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from fairseq_align import files
from fairseq_align.huggingface import UNKNOWN_LANG, sources


@dataclass(frozen=True)
class ExportRequest:
    """Arguments of ``export``; see ``convert.export``."""

    checkpoint: Path
    out: Path
    sentencepiece: Path
    data: str | None = None
    results: Path | None = None
    full_vocab: str | None = None


@dataclass(frozen=True)
class ImportRequest:
    """Arguments of ``import``; see ``convert.import_model``."""

    source: str
    out: Path
    extend_vocab: Path | None = None
    extend_lexicon: Path | None = None
    lang: str = UNKNOWN_LANG
    keep_vocab: tuple[Path, ...] = ()


def add_export_parser(subparsers) -> None:
    """Add the command ``export`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "export",
        help="a checkpoint as a Hugging Face model",
        description="Write a masked language model, tagger or sentence classifier as a folder that transformers loads.",
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint of fairseq-train")
    parser.add_argument("out", type=Path, metavar="DIR", help="folder to make")
    parser.add_argument("--model", type=Path, required=True, help="spm.model of the pre-training data")
    parser.add_argument("--data", help="its data, with dict.txt and label/dict.txt; not given: as in the checkpoint")
    parser.add_argument("--results", type=Path, help="JSON-lines file whose scores of this checkpoint go on the card")
    parser.add_argument(
        "--full-vocab",
        metavar="DIR_OR_NAME",
        help="the model that was imported with --keep-vocab: what was left out comes back from it; not given: nothing",
    )
    parser.set_defaults(func=run_export)


def add_import_parser(subparsers) -> None:
    """Add the command ``import`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "import",
        help="XLM-R, or any model of its architecture or of BERT's with its tokenizer, as a fairseq checkpoint",
        description="Read a model of Hugging Face or fairseq's xlmr.base.tar.gz; write model.pt, dict.txt, spm.model.",
    )
    parser.add_argument("source", metavar="DIR_OR_NAME", help="folder, archive of fairseq, or name on the hub")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
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
        help="word list or other dictionary of new pieces and words that the model knows: a new piece starts as the "
        "mean of these; not given: as the mean of the pieces that it was written in",
    )
    parser.add_argument(
        "--lang",
        default=UNKNOWN_LANG,
        help="language that a tagger or classifier was tuned on, which scores name (default: %(default)s)",
    )
    parser.add_argument(
        "--keep-vocab",
        type=Path,
        nargs="+",
        metavar="TEXT",
        default=(),
        help="keep only the pieces that these are written in, and single characters: texts, tables, treebanks "
        "(.conllu), dictionaries, plain or .gz; not given: all",
    )
    parser.set_defaults(func=run_import)


def run_export(args: argparse.Namespace) -> None:
    """Export a checkpoint and say what was written.

    Raises:
        InputError: as ``convert.export``.
    """
    request = ExportRequest(args.checkpoint, args.out, args.model, args.data, args.results, args.full_vocab)
    files.check_exists(request.checkpoint, "a checkpoint of fairseq-train; check the path")
    files.check_exists(request.sentencepiece, "a SentencePiece model; check the path")
    if request.results:
        files.check_exists(request.results, "a results file of JSON lines")
    files.check_free(request.out)
    if request.full_vocab:
        sources.check(request.full_vocab)
    from fairseq_align.huggingface import convert

    exported = convert.export(**vars(request))
    print(
        f"{exported.folder}: {exported.model_class}, {exported.architecture.vocabulary:,} symbols, "
        f"{exported.scores} scores in the model card"
    )


def run_import(args: argparse.Namespace) -> None:
    """Import a model and say what was written.

    Raises:
        InputError: as ``convert.import_model``.
    """
    request = ImportRequest(
        args.source, args.out, args.extend_vocab, args.extend_lexicon, args.lang, tuple(args.keep_vocab)
    )
    sources.check(request.source)
    for path in filter(None, [request.extend_vocab, request.extend_lexicon, *request.keep_vocab]):
        files.check_exists(path, "a file of text; check the path")
    files.check_free(request.out)
    from fairseq_align.huggingface import convert

    imported = convert.import_model(**vars(request))
    size = imported.architecture
    print(f"{imported.folder}: {imported.task}, {size.vocabulary:,} symbols, {size.layers} layers of {size.dim}")
    print("train it with " + " ".join(imported.flags))
