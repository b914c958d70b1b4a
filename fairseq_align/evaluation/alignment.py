"""How well the words of two languages coincide in a checkpoint: bilingual lexicon induction, cosines, isomorphism.

Bilingual lexicon induction: each distinct source word is a query; any of its translations counts as correct;
candidates are the whole target vocabulary: every piece that occurs in its training text, and every word of the
lexicons, of however many pieces. The vector of a word of several pieces is their mean. Compared are the word
embeddings, or the states of an encoder layer for the word on its own, ``<s> w </s>``: as the lexicon has it, without
context, and repeatable without a text. Of a language in derived pieces the whole vocabulary is scored, too, as the
paper does: ``whole_vocabulary``.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel
from torch import Tensor

from fairseq_align.data import binarized
from fairseq_align.embeddings import isomorphism, retrieval, spelling
from fairseq_align.embeddings.retrieval import Queries, Ranks, Space
from fairseq_align.errors import InputError
from fairseq_align.evaluation.bands import OF_SPELLING, QueryWords, bands_of
from fairseq_align.evaluation.checkpoint import Checkpoint
from fairseq_align.evaluation.score import Score
from fairseq_align.evaluation.whole_vocabulary import WholeVocabulary, has_new_script, record_of
from fairseq_align.lexicon import coverage, frequency, word_kinds
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.lexicon.words import Pairs, Words
from fairseq_align.tasks.align_mlm import AlignMlmTask
from fairseq_align.text import vocabulary

logger = logging.getLogger(__name__)

BATCH_TOKENS = 16384
KS = (1, 5, 10)
DIRECTIONS = {None: (0, 1), "backward": (1, 0)}  # the language of the queries, and that of the candidates


@dataclass(frozen=True)
class Language:
    """A language of the queries or of the candidates.

    Attributes:
        name: its folder of binarized data.
        tokens: ids of its training text, shape (N,).
        candidates: the pieces that occur in the text, and the words of the lexicons that are none of them.
        frequent: rows of the candidates that are pieces, the most frequent first, int64.
        dictionary: of the data.
    """

    name: str
    tokens: np.ndarray
    candidates: Words
    frequent: Tensor
    dictionary: Dictionary

    @classmethod
    def load(cls, data: Path, name: str, dictionary: Dictionary, in_lexicons: list[Words]) -> "Language":
        """Read the training text of a language.

        Args:
            in_lexicons: words of this language, from each lexicon.

        Raises:
            InputError: the data lack the language.
        """
        tokens = binarized.read(data / name / "train").tokens
        first = dictionary.nspecial
        counts = frequency.unigrams(tokens, first + len(vocabulary.pieces(dictionary)))
        counts[:first] = 0
        pieces = torch.from_numpy(np.flatnonzero(counts))
        candidates = lexicon_words.unique(Words(pieces, torch.arange(len(pieces))), *in_lexicons)
        logger.info("%s: %d candidates, %d of them pieces of its text", name, len(candidates), len(pieces))
        order = np.argsort(-counts[counts > 0], kind="stable")
        return cls(name, tokens, candidates, torch.from_numpy(order), dictionary)

    def spelt(self, words: Words) -> list[str]:
        """Words as they are written, a space where one begins behind another."""
        return [coverage.spelling([self.dictionary[piece] for piece in word]) for word in words.tuples()]

    @cached_property
    def capitals(self) -> dict[str, bool]:
        """Which words the text writes with a capital letter, see ``word_kinds.capitals``."""
        return word_kinds.capitals(self.tokens, self.dictionary)


@dataclass(frozen=True)
class Lexicon:
    """Pairs to score.

    Attributes:
        rows: for each pair in the vocabulary, the rows of its words among the candidates of source and target language,
            int64, shape (P, 2).
        oov: number of pairs with a piece out of vocabulary.
    """

    rows: Tensor
    oov: int

    @classmethod
    def of(cls, pairs: Pairs, source: Language, target: Language) -> "Lexicon":
        """Look the words of the pairs up among the candidates of their languages, which hold them all."""
        sides = (pairs.source, source), (pairs.target, target)
        rows = [lexicon_words.rows(words, language.candidates) for words, language in sides]
        return cls(torch.stack(rows, dim=1), pairs.oov)


@torch.no_grad()
def states(model: BaseFairseqModel, words: Words, layer: int) -> Tensor:
    """States of words on their own, ``<s> w </s>``: the mean over the pieces of the output of a layer.

    Args:
        model: a RoBERTa in evaluation mode.
        layer: from 1 to the number of layers; 0: the input of the first.

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
            first, last = (ids.new_full((len(ids), 1), special) for special in (dictionary.bos(), dictionary.eos()))
            _, extra = encoder.extract_features(torch.cat([first, ids, last], dim=1), return_all_hiddens=True)
            out[rows.to(weight.device)] = extra["inner_states"][layer][1:-1].mean(0).float()
    return out


@dataclass(frozen=True)
class View:
    """A language as one layer of a model has it.

    Attributes:
        space: vectors of all candidates.
        mean_similarity: r(x) of each, see ``retrieval.mean_similarities``.
    """

    language: Language
    space: Space
    mean_similarity: Tensor


def retrieval_scores(ranks: Ranks, bands: Mapping[str | None, list[int]], prefix: str = "") -> Iterator[dict]:
    """P@k and mean reciprocal rank of each band, as fields of a ``Score``."""
    for band, rows in bands.items():
        members = ranks.take(torch.tensor(rows))
        values = {f"p@{k}": members.precision(k) for k in KS} | {"mrr": members.reciprocal}
        for metric, query_values in values.items():
            yield {
                "metric": prefix + metric,
                "value": float(query_values.double().mean()),
                "n": len(rows),
                "ties": int(members.tied.sum()),
                "band": band,
            }


def cosine_scores(cosines: Tensor, queries: Tensor, bands: Mapping[str | None, list[int]]) -> Iterator[dict]:
    """Mean cosine of the pairs whose query is in a band, as fields of a ``Score``.

    Args:
        cosines, queries: of each pair, its cosine and the number of its query, both of shape (G,).
    """
    for band, rows in bands.items():
        members = cosines[torch.isin(queries, torch.tensor(rows, device=queries.device))]
        yield {"metric": "cos", "value": float(members.double().mean()), "n": len(members), "band": band}


@dataclass(frozen=True)
class Question:
    """A lexicon in one direction, which every layer is asked for.

    Attributes:
        source, target: numbers of the languages of the queries and of the candidates, see ``DIRECTIONS``.
        queries: the distinct source words, and their translations.
        bands: rows of the queries in each band, see ``bands_of``.
        about: fields of each score: split, pairs out of vocabulary, direction.
    """

    source: int
    target: int
    queries: Queries
    bands: Mapping[str | None, list[int]]
    about: Mapping

    @classmethod
    def all(
        cls, languages: Sequence[Language], lexicons: Mapping[str, Lexicon], kinds: Sequence[str] = ()
    ) -> "list[Question]":
        """Both directions of all lexicons.

        Args:
            languages: source and target.
            lexicons: by split.
            kinds: names in ``BANDS``.
        """
        questions = []
        for direction, (source, target) in DIRECTIONS.items():
            for split, lexicon in lexicons.items():
                queries = Queries.of(lexicon.rows[:, [source, target]])
                words = languages[source].candidates.take(queries.rows)
                bands = bands_of(QueryWords(words, languages[source], languages[target], queries.gold), kinds)
                about = {"split": split, "oov": lexicon.oov, "direction": direction}
                questions.append(cls(source, target, queries, bands, about))
        return questions


def lexicon_scores(source: View, target: View, question: Question, block: int = retrieval.BLOCK) -> Iterator[dict]:
    """All scores of one question, as fields of a ``Score``.

    Args:
        source, target: languages of the queries and of the candidates.
    """
    rows, gold = (part.to(source.space.device) for part in question.queries)
    queries = source.space.subspace(rows)
    for prefix, mean_similarity in (("", None), ("csls_", target.mean_similarity)):
        ranks = retrieval.ranks(queries, target.space, gold, mean_similarity, block)
        yield from retrieval_scores(ranks, question.bands, prefix)
    yield from cosine_scores(retrieval.pair_cosines(queries, target.space, gold, block), gold[:, 0], question.bands)


def layer_scores(
    spaces: Sequence[Space],
    languages: Sequence[Language],
    questions: Sequence[Question],
    block: int = retrieval.BLOCK,
) -> Iterator[dict]:
    """Scores of all questions, for one layer, as fields of a ``Score``.

    Args:
        spaces, languages: of the source and of the target language.
    """
    mean_similarities = retrieval.mean_similarities(*spaces, block=block)
    views = [View(*parts) for parts in zip(languages, spaces, mean_similarities, strict=True)]
    for question in questions:
        for score in lexicon_scores(views[question.source], views[question.target], question, block):
            yield score | question.about


def spelling_scores(languages: Sequence[Language], questions: Sequence[Question]) -> Iterator[dict]:
    """P@1 of a baseline that knows spelling alone, of all questions, as fields of a ``Score``: see ``spelling``.

    Queries, candidates and ties are those of ``layer_scores``.
    """

    def marked(words: Words, language: Language) -> list[str]:
        return ["".join(language.dictionary[piece] for piece in word) for word in words.tuples()]

    for question in questions:
        source, target = languages[question.source], languages[question.target]
        words = marked(source.candidates.take(question.queries.rows), source)
        ranks = spelling.ranks(words, marked(target.candidates, target), question.queries.gold)
        for score in retrieval_scores(ranks, question.bands, "spelling_"):
            if score["metric"] == "spelling_p@1":
                yield score | question.about


def isomorphism_scores(spaces: Sequence[Space], languages: Sequence[Language], size: int) -> Iterator[dict]:
    """Isomorphism of the most frequent pieces of the two languages, as fields of a ``Score``."""
    vectors = [
        space.take(language.frequent[:size].to(space.device)).cpu().numpy()
        for space, language in zip(spaces, languages, strict=True)
    ]
    measures = {
        "eigenvectors": isomorphism.eigenvector_similarity,
        "gromov_hausdorff": isomorphism.gromov_hausdorff,
    }
    for metric, measure in measures.items():
        yield {"metric": metric, "value": measure(*vectors), "n": min(map(len, vectors)), "split": "vocabulary"}


def spaces_of(checkpoint: Checkpoint, lists: Sequence[Words], layer: int | None) -> list[Space]:
    """Vectors of each list of words, from a layer of the encoder, or from the word embeddings for None.

    To the latter those of character n-grams are added, if the training had them; the log says so.

    Raises:
        InputError: the model has no such layer.
    """
    model, characters = checkpoint.model, checkpoint.characters
    encoder = model.encoder.sentence_encoder
    table = encoder.embed_tokens.weight.detach()
    if layer is None:
        if characters is not None:
            logger.info(
                "%s: words are compared by their pieces and by %s vectors of character n-grams",
                checkpoint.path, f"{len(characters.weight):,}",
            )  # fmt: skip
        return [Space.of(table, words.to(table.device), characters) for words in lists]
    if not 0 <= layer <= len(encoder.layers):
        raise InputError(f"--layers: found {layer}, expected embeddings or a number from 0 to {len(encoder.layers)}")
    spaces = []
    for words in lists:
        rows = torch.arange(len(words), device=table.device)
        spaces.append(Space(states(model, words, layer), Words(rows, rows)))
    return spaces


def default_source_lang(checkpoint: Checkpoint, target_lang: str) -> str:
    """The first language of pre-training beside the target language.

    Raises:
        InputError: the checkpoint knows of none.
    """
    task = checkpoint.task
    others = [lang for lang in task.langs if lang != target_lang] if isinstance(task, AlignMlmTask) else []
    if not others:
        raise InputError("--source-lang: found none, expected the language of the lexicons' first words, e.g. en")
    return others[0]


def score_alignment(
    checkpoint: Checkpoint,
    pairs: Pairs | Mapping[str, Pairs],
    langs: tuple[str, str],
    layers: Sequence[int | None] = (None,),
    bands: Sequence[str] = (),
    mapping: str | None = None,
    isomorphism_size: int = 1000,
    block: int = retrieval.BLOCK,
) -> Iterator[Score]:
    """Score how well the words of two languages coincide, one layer after the other.

    Of each split, layer, direction and band: P@1, P@5, P@10 and mean reciprocal rank by cosine and by CSLS, and the
    mean cosine of the pairs. Of a target language in derived pieces also P@1 of each layer over the whole vocabulary,
    split ``whole``, and over a sample of it; of other languages P@1 of a baseline that compares spelling and trains
    nothing. States of one layer are held at a time. Word embeddings are those with character n-grams where the training
    had such, see ``Checkpoint.characters``.

    Args:
        checkpoint: see ``checkpoint.load``; its data hold the training text of both languages.
        pairs: a lexicon of the checkpoint's vocabulary, by split: ``seen`` in training, ``heldout``; one alone is held
            out.
        langs: source and target language, folders of the data.
        layers: of the encoder, 0 the input of the first; None: word embeddings.
        bands: names in ``BANDS``, to score bands of queries, too.
        mapping: ``procrustes``: score again after an orthogonal map learnt on the seen pairs; None: do not.
        isomorphism_size: number of most frequent pieces of each language whose isomorphism is measured; 0: do not.
        block: words that are compared at a time, see ``retrieval.memory``.

    Raises:
        InputError: the data lack a language, the record of a derived one is broken, the model lacks a layer, or there
            are no seen pairs for the mapping.
    """
    pairs = {"heldout": pairs} if isinstance(pairs, Pairs) else pairs
    if mapping and "seen" not in pairs:
        raise InputError(f"found pairs of {', '.join(pairs)}, expected seen ones, which the mapping is learnt on")
    dictionary = checkpoint.dictionary
    source = Language.load(checkpoint.data, langs[0], dictionary, [part.source for part in pairs.values()])
    target = Language.load(checkpoint.data, langs[1], dictionary, [part.target for part in pairs.values()])
    languages = source, target
    lexicons = {split: Lexicon.of(part, source, target) for split, part in pairs.items()}
    whole = WholeVocabulary.load(checkpoint.data, langs, dictionary)
    is_spelt = not any(has_new_script(record_of(checkpoint.data / lang)) for lang in langs)
    questions = Question.all(languages, lexicons, [kind for kind in bands if is_spelt or kind not in OF_SPELLING])
    if is_spelt:
        for fields in spelling_scores(languages, questions):
            yield Score(task="alignment", lang=langs[1], **fields)
    for layer in layers:
        about = {"task": "alignment", "lang": langs[1], "layer": layer}
        if whole:
            for fields in whole.scores(*spaces_of(checkpoint, (whole.source, whole.target), layer), block):
                yield Score(**about, **fields)
        spaces = spaces_of(checkpoint, [language.candidates for language in languages], layer)
        for fields in layer_scores(spaces, languages, questions, block):
            yield Score(**about, **fields)
        if isomorphism_size:
            for fields in isomorphism_scores(spaces, languages, isomorphism_size):
                yield Score(**about, **fields)
        if mapping:
            rows = lexicons["seen"].rows.to(checkpoint.device)
            sides = [space.subspace(column) for space, column in zip(spaces, rows.T, strict=True)]
            mapped = spaces[0].mapped(retrieval.procrustes(*sides, block))
            for fields in layer_scores((mapped, spaces[1]), languages, questions, block):
                yield Score(**about, mapping=mapping, **fields)
