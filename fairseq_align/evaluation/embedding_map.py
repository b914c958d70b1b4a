"""Maps of embeddings: words of two languages in a plane, in one checkpoint or in several for comparison.

    lexicons -> the most frequent words with their translations -> of each checkpoint their vectors -> a plane

Every checkpoint has a plane of its own, so positions are compared within a map, not between two.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fairseq.data import Dictionary
from torch import Tensor

from fairseq_align.data import binarized
from fairseq_align.embeddings.pooling import word_vectors
from fairseq_align.errors import InputError
from fairseq_align.evaluation.alignment import default_source_lang
from fairseq_align.evaluation.checkpoint import Checkpoint, load
from fairseq_align.evaluation.training_of import Training, lexicons_of
from fairseq_align.lexicon import frequency
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.lexicon.words import Pairs
from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results.curves import names, row_beside
from fairseq_align.results.embedding_map import EmbeddingMap, Pair, Panel

START = "\u2581"  # begins the first piece of a word
Plane = Callable[[np.ndarray], tuple[np.ndarray, float | None]]


def pca(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Coordinates along the first two principal components, and the share of the variance that they have.

    The larger side of each component is positive, so that the map of a model is always the same.

    Args:
        vectors: shape (N, C), N at least 2.

    Returns:
        shape (N, 2), and a share in [0, 1].

    Example:
        >>> points, share = pca(np.array([[3.0, 0.0, 1.0], [-3.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, -1.0, 1.0]]))
        >>> points.round(6).tolist(), share
        ([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]], 1.0)
    """
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :2] * sizes[:2]
    points = points * np.where(points[np.abs(points).argmax(0), [0, 1]] < 0, -1, 1) + 0.0
    variance = (sizes**2).sum()
    return points, float((sizes[:2] ** 2).sum() / variance) if variance else 1.0


def umap(vectors: np.ndarray) -> tuple[np.ndarray, None]:
    """Coordinates by UMAP (McInnes et al. 2018, https://arxiv.org/abs/1802.03426), of a fixed seed.

    Raises:
        InputError: umap-learn is not installed.
    """
    try:
        from umap import UMAP
    except ImportError as error:
        raise InputError(
            "--method umap: found no umap-learn, expected it; EXTRAS=umap bash install.sh brings it; or take pca"
        ) from error
    neighbours = min(15, len(vectors) - 1)
    return UMAP(n_neighbors=neighbours, metric="cosine", random_state=0, n_jobs=1).fit_transform(vectors), None


PLANES: dict[str, Plane] = {"pca": pca, "umap": umap}


def map_embeddings(
    checkpoints: Sequence[str | Path],
    data: str | Path,
    lang: str | None = None,
    lexicons: Mapping[str, str | Path] | None = None,
    source_lang: str | None = None,
    count: int = 60,
    method: str = "pca",
    labels: Sequence[str] = (),
) -> EmbeddingMap:
    """Map the embeddings of translation pairs in each of several checkpoints.

    Taken are the most frequent source words of the lexicons, each with its first translation, as many of each lexicon
    as of the other as far as they have them; pieces inside words and words without a letter come last.

    Args:
        checkpoints: files of fairseq-train with one vocabulary.
        data: folder of binarized data with the training text of the source language.
        lang: target language; None: the other one of two of pre-training.
        lexicons: paths by split, ``seen`` and ``heldout``; none: those of the training of the first checkpoint.
        source_lang: None: the first other language of the first checkpoint's pre-training.
        count: pairs in the map.
        method: of ``PLANES``.
        labels: names of the checkpoints; empty: what they were trained with, by the scores that a recipe leaves beside
            them, else by their settings.

    Raises:
        InputError: a file is missing or unfit, or the vocabularies differ.
    """
    panels, trained, pairs, langs = [], [], None, None
    for path in checkpoints:
        checkpoint = load(path, data)
        if pairs is None:
            lang = Training.of(checkpoint).target(lang)
            langs = source_lang or default_source_lang(checkpoint, lang), lang
            tokens = binarized.read(Path(data) / langs[0] / "train").tokens
            read = {
                split: lexicon_words.load(lexicon, checkpoint.dictionary)
                for split, lexicon in (lexicons or lexicons_of(checkpoint)).items()
            }
            splits, pairs = chosen(read, checkpoint.dictionary, tokens, count)
            words = _words(pairs, splits, checkpoint.dictionary)
        panels.append(_panel(checkpoint, pairs, PLANES[method]))
        row = row_beside(Path(path).absolute().parent)
        trained.append(row.label if row else _objective(checkpoint))
    named = labels or _labels(trained, [Path(path) for path in checkpoints])
    panels = [panel._replace(name=name) for panel, name in zip(panels, named, strict=True)]
    return EmbeddingMap(langs, method, tuple(words), tuple(panels))


def chosen(
    lexicons: Mapping[str, Pairs], dictionary: Dictionary, tokens: np.ndarray, count: int
) -> tuple[list[str], Pairs]:
    """The pairs of a map, the most frequent first, and the split of each.

    Args:
        tokens: ids of the training text of the source language.
    """
    wanted, parts = count, []
    ascending = sorted(lexicons.items(), key=lambda item: len(item[1]))  # what a small one lacks, the other gives
    for number, (split, pairs) in enumerate(ascending):
        counts = frequency.occurrences(tokens, pairs.source)
        spelt = [[dictionary[piece] for piece in word] for word in pairs.source.tuples()]
        whole = np.array([word[0].startswith(START) and any(map(str.isalpha, "".join(word))) for word in spelt])
        order = np.lexsort((-counts, ~whole))
        _, first = np.unique([" ".join(spelt[row]) for row in order], return_index=True)
        rows = order[np.sort(first)][: -(-wanted // (len(ascending) - number))]
        wanted -= len(rows)
        parts += [(not whole[row], -counts[row], split, int(row)) for row in rows]
    parts.sort(key=lambda part: part[:2])
    taken = [lexicons[split].take(np.array([row])) for _, _, split, row in parts]
    return [split for _, _, split, _ in parts], Pairs.cat(taken)


def _words(pairs: Pairs, splits: Sequence[str], dictionary: Dictionary) -> list[Pair]:
    """The pairs as they are read: pieces joined, without the sign of a word's beginning."""

    def spelt(word: tuple[int, ...]) -> str:
        return "".join(dictionary[piece] for piece in word).replace(START, " ").strip() or START

    sides = zip(map(spelt, pairs.source.tuples()), map(spelt, pairs.target.tuples()), splits, strict=True)
    return [Pair(*side) for side in sides]


def _panel(checkpoint: Checkpoint, pairs: Pairs, plane: Plane) -> Panel:
    vectors = _vectors(checkpoint, pairs)
    points, explained = plane(vectors.numpy())
    source, target = (tuple(map(tuple, side.tolist())) for side in np.split(np.asarray(points, dtype=float), 2))
    cosines = (vectors[: len(pairs)] * vectors[len(pairs) :]).sum(-1)
    return Panel("", source, target, tuple(cosines.tolist()), explained)


@torch.no_grad()
def _vectors(checkpoint: Checkpoint, pairs: Pairs) -> Tensor:
    """Unit vectors of the source words, then of the target words, shape (2P, C), float32, on the CPU.

    Raises:
        InputError: the model has fewer word embeddings than the vocabulary of the data.
    """
    table = checkpoint.model.encoder.sentence_encoder.embed_tokens.weight.detach().cpu()
    if len(table) < len(checkpoint.dictionary):
        raise InputError(
            f"{checkpoint.path}: found {len(table)} word embeddings, expected those of the "
            f"{len(checkpoint.dictionary)} entries of {checkpoint.data / 'dict.txt'}; name the data of the training"
        )
    return F.normalize(torch.cat([word_vectors(table, words) for words in (pairs.source, pairs.target)]), dim=-1)


def _objective(checkpoint: Checkpoint) -> str:
    """Label of the objective: the last one of ``OBJECTIVES`` that is a part of the loss."""
    settings = checkpoint.cfg.task, checkpoint.cfg.criterion
    return [row.label for row in OBJECTIVES.values() if row.is_active(*settings)][-1]


def _labels(trained: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """What was trained, with the short name of the checkpoint where two have the same."""
    short = names(paths)
    return [
        label if trained.count(label) == 1 else f"{label}, {name}" for label, name in zip(trained, short, strict=True)
    ]
