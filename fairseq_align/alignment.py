"""How well the word embeddings of translation pairs coincide: word vectors, the loss, and retrieval scores."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_align.lexicon import Pairs, Words


def word_vectors(embeddings: Tensor, words: Words) -> Tensor:
    """Vectors of words, each the mean of the embeddings of its pieces.

    Args:
        embeddings: word embedding table, shape (V, C), any float type.
        words: P words, on the device of the table.

    Returns:
        shape (P, C), float32, or float64 if the table is.
    """
    pieces = F.embedding(words.ids, embeddings)
    if pieces.dtype not in (torch.float32, torch.float64):
        pieces = pieces.float()
    if words.ids.numel() == len(words):  # every word is one piece
        return pieces
    order = torch.arange(words.ids.numel(), device=pieces.device)
    return F.embedding_bag(order, pieces, words.offsets, mode="mean")


def alignment_loss(embeddings: Tensor, pairs: Pairs, kind: str = "cosine") -> Tensor:
    """How far apart the embeddings of translation pairs are.

    Args:
        embeddings: word embedding table, shape (V, C), any float type; computed in float32 at least.
        pairs: P >= 1 translation pairs, on the device of the table.
        kind: ``cosine``, minus the mean cosine similarity, the paper's; or ``l2``, the mean squared distance. Means
            are weighted by ``pairs.weights``.

    Returns:
        scalar, unitless (not bits); cosine: in [-1, 1], -1 when every pair points the same way; l2: at least 0.

    Source: ALIGN-MLM, Tang et al. 2022, https://arxiv.org/abs/2211.08547
    """
    source, target = word_vectors(embeddings, pairs.source), word_vectors(embeddings, pairs.target)
    weights = pairs.weights.to(source.dtype)
    if kind == "cosine":
        losses = -F.cosine_similarity(source, target, dim=-1)
    else:
        losses = (source - target).square().sum(-1)
    return (weights * losses).sum() / weights.sum()


@torch.no_grad()
def mean_cosine(embeddings: Tensor, pairs: Pairs) -> Tensor:
    """Mean cosine similarity of the pairs, unweighted; scalar in [-1, 1]."""
    source, target = word_vectors(embeddings, pairs.source), word_vectors(embeddings, pairs.target)
    return F.cosine_similarity(source, target, dim=-1).mean()


@torch.no_grad()
def precision_at_1(embeddings: Tensor, pairs: Pairs, candidates: Words, chunk: int = 4096) -> Tensor:
    """Share of source words whose nearest candidate by cosine similarity is one of their translations.

    Args:
        embeddings: word embedding table, shape (V, C).
        pairs: what counts as right; a source word with several translations is asked once and any of them is right.
        candidates: target words to choose from; add the words of ``pairs.target`` that they lack, or these are missed.
        chunk: source words compared at a time; bounds the memory, ``chunk`` x candidates.

    Returns:
        scalar in [0, 1], float32.
    """
    keys = _Keys()
    right: dict[int, set[int]] = {}
    rows: dict[int, int] = {}
    target_keys = keys.of(pairs.target)
    for row, source in enumerate(keys.of(pairs.source)):
        right.setdefault(source, set()).add(target_keys[row])
        rows.setdefault(source, row)
    candidate_keys = keys.of(candidates)
    found = F.normalize(word_vectors(embeddings, candidates), dim=-1)
    asked = pairs.source.take(torch.tensor(list(rows.values()), device=embeddings.device))
    query = F.normalize(word_vectors(embeddings, asked), dim=-1)
    nearest = torch.cat([(part @ found.T).argmax(-1) for part in query.split(chunk)]).tolist()
    hits = sum(candidate_keys[best] in right[source] for source, best in zip(rows, nearest, strict=True))
    return torch.tensor(hits / len(rows))


class _Keys(dict):
    """A small integer for each word, equal for equal piece sequences."""

    def of(self, words: Words) -> list[int]:
        ids, ends = words.ids.tolist(), [*words.offsets.tolist()[1:], words.ids.numel()]
        spans = zip(words.offsets.tolist(), ends, strict=True)
        return [self.setdefault(tuple(ids[start:end]), len(self)) for start, end in spans]
