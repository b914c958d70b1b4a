"""The commands ``fairseq-align evaluate`` and ``fairseq-align alignment``: flags -> a request -> scores, recorded.

Scores are printed with their signatures and appended to a results file. torch and fairseq are imported only when a
request is complete and its files are there.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_align.errors import InputError
from fairseq_align.evaluation.bands import BANDS
from fairseq_align.files import check_exists
from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results import records

if TYPE_CHECKING:
    from fairseq_align.evaluation.checkpoint import Checkpoint
    from fairseq_align.evaluation.score import Score

EMBEDDINGS = "embeddings"  # --layers: the word embeddings, None elsewhere


@dataclass(frozen=True)
class Recording:
    """A checkpoint to score, and what to record with every score.

    Attributes:
        data: folder of binarized data with dict.txt.
        results: JSON-lines file to append the scores to; None: they are only printed.
        objective: of the training run, see ``results.records``; None: as the checkpoint says.
        derivation, lexicon_rate, variant: of the training run, likewise.
    """

    checkpoint: str
    data: str
    results: str | None
    objective: str | None
    derivation: str | None
    lexicon_rate: float | None
    variant: str | None

    @classmethod
    def of(cls, args: argparse.Namespace) -> "Recording":
        return cls(**{name: getattr(args, name) for name in cls.__dataclass_fields__})

    def load(self) -> "Checkpoint":
        """Load the checkpoint.

        Raises:
            InputError: it is missing, which is found before fairseq is imported, or unfit.
        """
        if not Path(self.checkpoint).is_file():
            raise InputError(f"{self.checkpoint}: found no file, expected a checkpoint; train one with fairseq-train")
        from fairseq_align.evaluation import checkpoint

        loaded = checkpoint.load(self.checkpoint, self.data)
        from fairseq_align.evaluation.training_of import Training

        Training.of(loaded).objective(self.objective)  # refused before anything is scored
        return loaded

    def record(self, score: "Score", checkpoint: "Checkpoint", lexicon: str | None = None) -> None:
        """Print a score with its signature and append it to the results file, if there is one.

        Args:
            checkpoint: that was scored.
            lexicon: path of the lexicon that the score was computed on; None: none.
        """
        from fairseq_align.evaluation.training_of import Training
        from fairseq_align.text import vocabulary

        fields = asdict(score) | {
            "seed": checkpoint.seed,
            "objective": Training.of(checkpoint).objective(self.objective),
            "derivation": self.derivation,
            "lexicon_rate": self.lexicon_rate,
            "variant": self.variant,
            "lexicon": records.checksum(lexicon) if lexicon else None,
            "checkpoint": records.checksum(self.checkpoint),
            "vocabulary": vocabulary.checksum(checkpoint.dictionary),
            "sentencepiece": checkpoint.sentencepiece,
            "versions": records.versions(),
            "date": records.now(),
        }
        print(records.signature(fields))
        if self.results:
            records.append(self.results, fields)


@dataclass(frozen=True)
class EvaluateRequest:
    """What ``fairseq-align evaluate`` is asked to do; see its flags."""

    recording: Recording
    subsets: tuple[str, ...]
    retrieval: bool
    layer: int | None
    predictions: Path | None

    @classmethod
    def of(cls, args: argparse.Namespace) -> "EvaluateRequest":
        subsets = tuple(args.subset.split(","))
        return cls(Recording.of(args), subsets, args.task == "retrieval", args.layer, args.predictions)


def evaluate(request: EvaluateRequest) -> None:
    """Score a checkpoint on its own task or on retrieval; each subset is recorded before the next one is scored."""
    checkpoint = request.recording.load()
    from fairseq_align.evaluation import tasks

    if request.retrieval:
        for score in tasks.score_retrieval(checkpoint, request.subsets, request.layer):
            request.recording.record(score, checkpoint)
        return
    for subset in request.subsets:
        for score in tasks.evaluate(checkpoint, subset, request.predictions):
            request.recording.record(score, checkpoint)


@dataclass(frozen=True)
class AlignmentRequest:
    """What ``fairseq-align alignment`` is asked to do; see its flags.

    Attributes:
        lexicons: paths by split, ``seen`` and ``heldout``; none: those of the training.
        lang: the target language; None: the other one of two that the model was trained on.
        layers: numbers of encoder layers; None: word embeddings.
        block: words compared at a time; None: the default of the library.
        pieces_alone: leave character n-grams out.
    """

    recording: Recording
    lexicons: dict[str, str]
    lang: str | None
    source_lang: str | None
    layers: tuple[int | None, ...]
    bands: tuple[str, ...]
    mapping: str | None
    isomorphism: int
    block: int | None
    pieces_alone: bool

    @classmethod
    def of(cls, args: argparse.Namespace) -> "AlignmentRequest":
        """Check the flags against each other.

        Raises:
            InputError: none of the lexicons that are given is for the mapping, or one is missing.
        """
        files = {split: path for split, path in (("seen", args.lexicon), ("heldout", args.heldout_lexicon)) if path}
        if files and args.mapping and "seen" not in files:
            raise InputError(
                "fairseq-align alignment: found no --lexicon, which the mapping is learnt on; name that of the training"
            )
        for path in files.values():
            check_exists(path, "a lexicon; make it with fairseq-align lexicon")
        layers = tuple(None if layer == EMBEDDINGS else int(layer) for layer in args.layers)
        return cls(
            Recording.of(args),
            files,
            args.lang,
            args.source_lang,
            layers,
            tuple(args.by),
            args.mapping,
            args.isomorphism,
            args.block,
            args.pieces_alone,
        )


def alignment(request: AlignmentRequest) -> None:
    """Score how well the words of two languages coincide."""
    checkpoint = request.recording.load()
    if request.pieces_alone:
        checkpoint = replace(checkpoint, characters=None)
    from fairseq_align.evaluation.alignment import default_source_lang, score_alignment
    from fairseq_align.evaluation.training_of import Training, lexicons_of
    from fairseq_align.lexicon.words import load

    training = Training.of(checkpoint)
    training.check_seen(request.lexicons.get("seen"))
    lexicons = request.lexicons or lexicons_of(checkpoint)
    lang = training.target(request.lang)
    pairs = {split: load(path, checkpoint.dictionary) for split, path in lexicons.items()}
    langs = request.source_lang or default_source_lang(checkpoint, lang), lang
    block = {"block": request.block} if request.block else {}
    scores = score_alignment(
        checkpoint, pairs, langs, request.layers, request.bands, request.mapping, request.isomorphism, **block
    )
    for score in scores:
        request.recording.record(score, checkpoint, lexicons.get(score.split))


def _names(known: Sequence[str]):
    """An argument type: comma-separated names; where ``EMBEDDINGS`` is known, numbers of layers, too."""

    def parse(text: str) -> list[str]:
        for name in text.split(","):
            if name not in known and not (EMBEDDINGS in known and name.isascii() and name.isdigit()):
                raise argparse.ArgumentTypeError(
                    f"found {name!r}, expected {', '.join(known)}{' or a number' * (EMBEDDINGS in known)}"
                )
        return list(dict.fromkeys(text.split(",")))

    return parse


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a ``Recording`` to a command."""
    parser.add_argument("checkpoint", help="checkpoint of fairseq-train")
    parser.add_argument("data", help="folder of binarized data with dict.txt")
    parser.add_argument("--results", help="JSON-lines file to append the scores to; default: they are only printed")
    parser.add_argument(
        "--objective",
        choices=list(OBJECTIVES),
        help="what the model was pre-trained with; default: as the checkpoint says, which it may not contradict",
    )
    parser.add_argument(
        "--derivation", help="how the target language was made, e.g. transliterate+invert; default: natural"
    )
    parser.add_argument(
        "--lexicon-rate", type=float, help="fraction of the vocabulary in the training lexicon; default: none"
    )
    parser.add_argument(
        "--variant", help="what else sets the training apart, a row of its own in reports, e.g. contrastive"
    )


def add_pieces_alone(parser: argparse.ArgumentParser) -> None:
    """Add the flag that leaves character n-grams out."""
    parser.add_argument(
        "--pieces-alone",
        action="store_true",
        help="compare words by their pieces alone, as the encoder does; default: of a model trained with "
        "--align-characters also by their characters; name a --variant to keep the two apart",
    )


def add_evaluate_parser(subparsers) -> None:
    """Add the command ``evaluate`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a checkpoint on subsets",
        description="Accuracy and F1 of a tagger, accuracy of a sentence classifier, or the loss of a masked language "
        "model beside the unigram entropy of the text; or how often parallel sentences find each other. Question "
        "answering is out of scope.",
    )
    add_recording(parser)
    parser.add_argument("--subset", required=True, help="comma-separated subsets: test, test_fr, valid_en-x")
    parser.add_argument(
        "--task",
        choices=("retrieval",),
        help="retrieval: accuracy of finding the sentences of the first subset in each other one, and the other way; "
        "default: that of the checkpoint",
    )
    parser.add_argument(
        "--layer",
        type=int,
        help="retrieval: layer whose mean state is the vector of a sentence, 0: embeddings; default: the last",
    )
    parser.add_argument(
        "--predictions", type=Path, metavar="DIR", help="folder for the predictions of a tagger, as CoNLL; default: off"
    )
    parser.set_defaults(func=lambda args: evaluate(EvaluateRequest.of(args)))


def add_alignment_parser(subparsers) -> None:
    """Add the command ``alignment`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "alignment",
        help="score how well the words of two languages coincide",
        description="P@1, P@5, P@10 and mean reciprocal rank by cosine and by CSLS, both ways, among the whole "
        "vocabulary of the other language; mean cosine; isomorphism. Of a language in derived pieces also the paper's "
        "measure, P@1 over the whole vocabulary.",
    )
    add_recording(parser)
    parser.add_argument(
        "--lexicon", help="pairs seen in training; default, without --heldout-lexicon: both of the training"
    )
    parser.add_argument("--heldout-lexicon", help="pairs kept from training")
    parser.add_argument(
        "--lang", help="target language, a folder of the data; default: the second of two that were trained on"
    )
    parser.add_argument(
        "--source-lang", help="source language, a folder of the data; default: the first other one of pre-training"
    )
    parser.add_argument(
        "--layers",
        type=_names([EMBEDDINGS]),
        default=[EMBEDDINGS],
        help="comma-separated: embeddings, and numbers of encoder layers, 0 being the input of the first, for the "
        "states of a word on its own; default: embeddings",
    )
    parser.add_argument(
        "--by",
        type=_names(list(BANDS)),
        default=[],
        help=f"score bands of queries, too, comma-separated: {', '.join(BANDS)} (overlap: whether a translation shares "
        "a piece: some, none; kind: whether it is a name, or spelt the same, alike or otherwise); default: off",
    )
    parser.add_argument(
        "--mapping",
        choices=["procrustes"],
        help="score again after an orthogonal map learnt on --lexicon; default: off",
    )
    parser.add_argument(
        "--isomorphism",
        type=int,
        default=1000,
        metavar="N",
        help="compare the shapes of the N most frequent pieces of each language (default: %(default)s); 0: do not",
    )
    parser.add_argument(
        "--block",
        type=int,
        metavar="N",
        help="words compared at a time; needs 16 N (N + dim) bytes beyond the model; default: 1024, which suits a CPU; "
        "a GPU wants more, e.g. 8192",
    )
    add_pieces_alone(parser)
    parser.set_defaults(func=lambda args: alignment(AlignmentRequest.of(args)))
