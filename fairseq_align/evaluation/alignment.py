"""``fairseq-align alignment``: how well the words of two languages coincide in a checkpoint.

Asked are the words of a lexicon, each once; right is any word it is paired with. Candidates are the whole vocabulary
of the other language: every piece that occurs in its training text, and every word of the lexicons, of however many
pieces. A word of several pieces is the mean of them. Compared are the word embeddings, or what an encoder layer gives
for the word on its own, ``<s> w </s>``: as the lexicon has it, without context, and repeatable without a text.
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from torch import Tensor

from fairseq_align.data import binarized
from fairseq_align.embeddings import isomorphism, retrieval
from fairseq_align.embeddings.retrieval import Ranks, Space
from fairseq_align.errors import InputError
from fairseq_align.evaluation import tasks as evaluation
from fairseq_align.lexicon import coverage, frequency
from fairseq_align.lexicon import file as lexicon
from fairseq_align.lexicon.file import Words
from fairseq_align.results import records as results
from fairseq_align.tasks.align_mlm import AlignMlmTask
from fairseq_align.text import vocabulary

logger = logging.getLogger(__name__)

BATCH_TOKENS = 16384
KS = (1, 5, 10)
BANDS = ("frequency", "pieces", "overlap")
EMBEDDINGS = "embeddings"
DIRECTIONS = {None: (0, 1), "backward": (1, 0)}  # which language is asked in, and which one is sought in


@dataclass(frozen=True)
class Language:
    """A language that words are asked in and sought in.

    Attributes:
        name: its folder of binarized data.
        tokens: ids of its training text, shape (N,).
        candidates: the pieces that occur in the text, and the words of the lexicons that are none of them.
        frequent: rows of the candidates that are pieces, the most frequent first, int64.
    """

    name: str
    tokens: np.ndarray
    candidates: Words
    frequent: Tensor

    @classmethod
    def load(cls, data: Path, name: str, words: tuple[int, int], in_lexicons: list[Words]) -> "Language":
        """Read the training text of a language.

        Args:
            words: first id of a piece, and one more than the last.
            in_lexicons: words of this language, from each lexicon.

        Raises:
            InputError: the data lack the language.
        """
        tokens = binarized.read(data / name / "train").tokens
        counts = frequency.unigrams(tokens, words[1])
        counts[: words[0]] = 0
        pieces = torch.from_numpy(np.flatnonzero(counts))
        candidates = lexicon.unique(Words(pieces, torch.arange(len(pieces))), *in_lexicons)
        logger.info("%s: %d candidates, %d of them pieces of its text", name, len(candidates), len(pieces))
        order = np.argsort(-counts[counts > 0], kind="stable")
        return cls(name, tokens, candidates, torch.from_numpy(order))


@dataclass(frozen=True)
class Lexicon:
    """Pairs to score.

    Attributes:
        path: the file.
        rows: for each pair in the vocabulary, the rows of its words among the candidates of source and target language,
            int64, shape (P, 2).
        oov: number of pairs with a piece out of vocabulary.
    """

    path: str
    rows: Tensor
    oov: int


@torch.no_grad()
def states(model: BaseFairseqModel, words: Words, layer: int) -> Tensor:
    """States of words on their own, ``<s> w </s>``: the mean over the pieces of what a layer gives out.

    Args:
        model: a RoBERTa in evaluation mode.
        layer: from 1 to the number of layers; 0: what goes into the first.

    Returns:
        shape (P, C), float32, on the device of the model.

    Raises:
        InputError: a word is longer than the positions of the model.
    """
    encoder, dictionary = model.encoder, model.encoder.dictionary
    weight = encoder.sentence_encoder.embed_tokens.weight
    lengths = words.lengths
    room = model.max_positions() - 2
    if int(lengths.max()) > room:
        raise InputError(
            f"found a word of {int(lengths.max())} pieces, expected at most {room}, the positions of the model without "
            "<s> and </s>; remove it from the lexicon"
        )
    out = torch.empty(len(words), weight.shape[-1], device=weight.device)
    for length in lengths.unique().tolist():
        for rows in torch.nonzero(lengths == length).squeeze(-1).split(max(1, BATCH_TOKENS // (length + 2))):
            ids = words.take(rows).ids.view(-1, length).to(weight.device)
            first, last = (ids.new_full((len(ids), 1), index) for index in (dictionary.bos(), dictionary.eos()))
            _, extra = encoder.extract_features(torch.cat([first, ids, last], dim=1), return_all_hiddens=True)
            out[rows.to(weight.device)] = extra["inner_states"][layer][1:-1].mean(0).float()
    return out


def bands_of(
    words: Words, tokens: np.ndarray, translations: Words, gold: Tensor, kinds: Sequence[str]
) -> dict[str | None, Tensor]:
    """Rows of the words in each band, int64; of all of them for None.

    Args:
        words: the asked words.
        tokens: training text of their language.
        translations, gold: words of the other language; which of them (column 1) translate which of the asked words
            (column 0), int64, shape (G, 2).
        kinds: of ``BANDS``.
    """
    names: list[list[str]] = []
    if "frequency" in kinds:
        names.append([f"frequency:{frequency.band(count)}" for count in frequency.occurrences(tokens, words).tolist()])
    if "pieces" in kinds:
        names.append([f"pieces:{coverage.pieces_band(length)}" for length in words.lengths.tolist()])
    if "overlap" in kinds:  # a word that shares pieces with its translation is near to it untrained
        spelt, asked = list(translations.take(gold[:, 1]).tuples()), list(words.tuples())
        rows = zip(gold[:, 0].tolist(), spelt, strict=True)
        some = {row for row, translation in rows if not set(asked[row]).isdisjoint(translation)}
        names.append([f"overlap:{'some' if row in some else 'none'}" for row in range(len(words))])
    found: dict[str | None, Tensor] = {None: torch.arange(len(words))}
    for of_words in names:
        for wanted in sorted(set(of_words)):
            found[wanted] = torch.tensor([row for row, name in enumerate(of_words) if name == wanted])
    return found


def retrieval_scores(ranks: Ranks, bands: dict[str | None, Tensor], prefix: str = "") -> Iterator[dict]:
    """P@k and mean reciprocal rank of each band, as fields of a record."""
    for band, rows in bands.items():
        members = ranks.take(rows)
        values = {f"p@{k}": members.precision(k) for k in KS} | {"mrr": members.reciprocal}
        for metric, of_words in values.items():
            yield {
                "metric": prefix + metric,
                "value": float(of_words.double().mean()),
                "n": len(rows),
                "ties": int(members.tied.sum()),
                "band": band,
            }


def cosine_scores(cosines: Tensor, asked: Tensor, bands: dict[str | None, Tensor]) -> Iterator[dict]:
    """Mean cosine of the pairs whose asked word is in a band, as fields of a record.

    Args:
        cosines, asked: of each pair, its cosine and the number of its asked word, both of shape (G,).
    """
    for band, rows in bands.items():
        members = cosines[torch.isin(asked, rows.to(asked.device))]
        yield {"metric": "cos", "value": float(members.double().mean()), "n": len(members), "band": band}


@dataclass(frozen=True)
class View:
    """A language as one layer of a model has it.

    Attributes:
        space: vectors of all candidates.
        crowd: how near each is to the other language, see ``retrieval.mean_similarities``.
    """

    language: Language
    space: Space
    crowd: Tensor


def lexicon_scores(asked: View, sought: View, pairs: Tensor, kinds: Sequence[str], block: int) -> Iterator[dict]:
    """All scores of one lexicon in one direction, as fields of a record.

    Args:
        pairs: rows of candidates of ``asked`` and of ``sought`` that translate each other, int64, shape (P, 2).
        kinds: of ``BANDS``.
    """
    rows, gold = retrieval.Queries.of(pairs)
    words = asked.language.candidates.take(rows)
    bands = bands_of(words, asked.language.tokens, sought.language.candidates, gold, kinds)
    gold = gold.to(asked.space.device)
    space = asked.space.subspace(rows.to(asked.space.device))
    for prefix, crowd in (("", None), ("csls_", sought.crowd)):
        yield from retrieval_scores(retrieval.ranks(space, sought.space, gold, crowd, block), bands, prefix)
    yield from cosine_scores(retrieval.pair_cosines(space, sought.space, gold, block), gold[:, 0], bands)


def spaces(model: BaseFairseqModel, languages: Sequence[Language], layer: str) -> list[Space]:
    """Vectors of the candidates of each language, from the word embeddings or a layer of the encoder.

    Raises:
        InputError: the model has no such layer.
    """
    encoder = model.encoder.sentence_encoder
    table = encoder.embed_tokens.weight.detach()
    if layer == EMBEDDINGS:
        return [Space(table, language.candidates.to(table.device)) for language in languages]
    if int(layer) > len(encoder.layers):
        raise InputError(f"--layers: found {layer}, expected {EMBEDDINGS} or a number from 0 to {len(encoder.layers)}")
    found = []
    for language in languages:
        rows = torch.arange(len(language.candidates), device=table.device)
        found.append(Space(states(model, language.candidates, int(layer)), Words(rows, rows)))
    return found


def scores(
    sides: Sequence[Space],
    languages: Sequence[Language],
    lexicons: dict[str, Lexicon],
    kinds: Sequence[str],
    block: int,
) -> Iterator[dict]:
    """All scores of a layer, as fields of a record."""
    crowds = retrieval.mean_similarities(*sides, block=block)
    views = [View(*parts) for parts in zip(languages, sides, crowds, strict=True)]
    for direction, (asked, sought) in DIRECTIONS.items():
        for split, some in lexicons.items():
            for score in lexicon_scores(views[asked], views[sought], some.rows[:, [asked, sought]], kinds, block):
                yield score | {"split": split, "oov": some.oov, "direction": direction}


def isomorphism_scores(sides: Sequence[Space], languages: Sequence[Language], size: int) -> Iterator[dict]:
    """How alike in shape the most frequent pieces of the two languages are, as fields of a record."""
    vectors = [
        space.take(language.frequent[:size].to(space.device)).cpu().numpy()
        for space, language in zip(sides, languages, strict=True)
    ]
    for metric, measure in (
        ("eigenvectors", isomorphism.eigenvector_similarity), ("gromov_hausdorff", isomorphism.gromov_hausdorff),
    ):  # fmt: skip
        yield {
            "metric": metric,
            "value": measure(*vectors),
            "n": min(map(len, vectors)),
            "split": "vocabulary",
        }


def load(args: argparse.Namespace, task: FairseqTask) -> tuple[list[Language], dict[str, Lexicon]]:
    """The two languages, and the lexicons by split.

    Raises:
        InputError: no lexicon is given, a file is missing or unfit, or the source language is not known.
    """
    files = {split: path for split, path in (("seen", args.lexicon), ("heldout", args.heldout_lexicon)) if path}
    if not files or (args.mapping and "seen" not in files):
        needed = "--lexicon, which the mapping is learnt on" if files else "--lexicon, --heldout-lexicon or both"
        raise InputError(f"fairseq-align alignment: found no {needed}; name the files of the study")
    pairs = {split: lexicon.load(path, task.source_dictionary) for split, path in files.items()}
    first = task.source_dictionary.nspecial
    ids = (first, first + len(vocabulary.pieces(task.source_dictionary)))
    source = Language.load(Path(args.data), source_lang(args, task), ids, [some.source for some in pairs.values()])
    target = Language.load(Path(args.data), args.lang, ids, [some.target for some in pairs.values()])
    return [source, target], {
        split: Lexicon(
            files[split],
            torch.stack(
                [lexicon.rows(some.source, source.candidates), lexicon.rows(some.target, target.candidates)], dim=1
            ),
            some.oov,
        )
        for split, some in pairs.items()
    }


def source_lang(args: argparse.Namespace, task: FairseqTask) -> str:
    """The language named, or the first one that the model was pre-trained on beside the target."""
    if args.source_lang:
        return args.source_lang
    others = [lang for lang in task.langs if lang != args.lang] if isinstance(task, AlignMlmTask) else []
    if not others:
        raise InputError("--source-lang: found none, expected the language of the lexicons' first words, e.g. en")
    return others[0]


def score(args: argparse.Namespace) -> None:
    """Score the layers one after the other, so that the states of one are held at a time."""
    model, cfg, task = evaluation.load(args.checkpoint, args.data)
    languages, lexicons = load(args, task)

    def record(fields: dict, layer: str, mapping: str | None = None) -> None:
        evaluation.record(
            args,
            task="alignment",
            lang=args.lang,
            seed=cfg.common.seed,
            source_lang=None,
            freeze_embeddings=None,
            lexicon=results.checksum(lexicons[fields["split"]].path) if fields["split"] in lexicons else None,
            layer=None if layer == EMBEDDINGS else int(layer),
            mapping=mapping,
            **fields,
        )

    for layer in args.layers:
        source, target = spaces(model, languages, layer)
        for fields in scores((source, target), languages, lexicons, args.by, args.block):
            record(fields, layer)
        for fields in isomorphism_scores((source, target), languages, args.isomorphism) if args.isomorphism else ():
            record(fields, layer)
        if args.mapping:
            rows = lexicons["seen"].rows.to(source.device)
            source.mapping = retrieval.procrustes(source.subspace(rows[:, 0]), target.subspace(rows[:, 1]), args.block)
            for fields in scores((source, target), languages, lexicons, args.by, args.block):
                record(fields, layer, args.mapping)


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


def add_parser(subparsers) -> None:
    """Add the command ``alignment`` to ``fairseq-align``."""
    parser = subparsers.add_parser(
        "alignment",
        help="score how well the words of two languages coincide",
        description="P@1, P@5, P@10 and mean reciprocal rank by cosine and by CSLS, both ways, among the whole "
        "vocabulary of the other language; mean cosine; likeness in shape.",
    )
    evaluation.add_common(parser)
    parser.add_argument("--lexicon", help="pairs seen in training")
    parser.add_argument("--heldout-lexicon", help="pairs kept from training")
    parser.add_argument("--lang", required=True, help="target language, a folder of the data")
    parser.add_argument(
        "--source-lang", help="source language, a folder of the data; not given: the first other one of pre-training"
    )
    parser.add_argument(
        "--layers",
        type=_names([EMBEDDINGS]),
        default=[EMBEDDINGS],
        help="comma-separated: embeddings, and numbers of encoder layers, 0 being what goes into the first, for the "
        "states of a word on its own; not given: embeddings",
    )
    parser.add_argument(
        "--by",
        type=_names(BANDS),
        default=[],
        help="score bands of words, too, comma-separated: frequency, pieces, overlap (whether a translation shares a "
        "piece: some, none); not given: none",
    )
    parser.add_argument(
        "--mapping",
        choices=["procrustes"],
        help="score again after an orthogonal map learnt on --lexicon; not given: not",
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
        default=retrieval.BLOCK,
        metavar="N",
        help="words compared at a time; needs 16 N (N + dim) bytes beyond the model; a GPU wants more, e.g. 8192 "
        "(default: %(default)s)",
    )
    parser.set_defaults(func=score)
