"""The scores of this room: one figure, with what it was computed on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """One figure of a checkpoint. All fields but ``value``, ``n``, ``ties`` and ``oov`` say what it was computed on.

    >>> Score("pos", "accuracy", 0.5, n=20, lang="fr", split="test", source_lang="en", freeze_embeddings=False).value
    0.5

    Attributes:
        task, metric: as the table of metrics names them.
        value: a fraction, never a percentage; nats a token for losses.
        n: number of items scored.
        lang: scored language; of alignment the target language.
        split: ``test`` or ``valid``; of alignment ``whole``, ``seen``, ``heldout`` or ``vocabulary``.
        source_lang, freeze_embeddings: how the model was fine-tuned; None where it was not.
        layer: encoder layer whose states were compared, 0 the input of the first; None: word embeddings.
        mapping: what was learnt on the seen pairs before; None: nothing.
        direction: ``backward`` where queries are in the target language.
        similarity: by which the pairs of an induced dictionary are nearest, ``csls`` or ``cosine``; None: of others.
        pairing: ``one-way`` where its words need not be the nearest of their answers; None: they are.
        band: the queries scored, e.g. ``pieces:2``; None: all.
        ties: of n, queries that share their rank with a wrong candidate.
        oov: pairs of the lexicon with a piece out of vocabulary, not in n.
    """

    task: str
    metric: str
    value: float
    n: int
    lang: str
    split: str
    source_lang: str | None = None
    freeze_embeddings: bool | None = None
    layer: int | None = None
    mapping: str | None = None
    direction: str | None = None
    similarity: str | None = None
    pairing: str | None = None
    band: str | None = None
    ties: int | None = None
    oov: int | None = None
