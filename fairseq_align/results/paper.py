"""The figures of the ALIGN-MLM paper (Tang et al. 2022, https://arxiv.org/abs/2211.08547), for comparison with ours."""

from typing import NamedTuple


class Transfer(NamedTuple):
    """Scores of one task in %: supervised and zero-shot on the derived language, and their difference.

    ``gap`` is the published one: computed before rounding, it may differ from ``zero_shot - supervised`` by 0.1.
    """

    supervised: float
    zero_shot: float
    gap: float


class Figures(NamedTuple):
    """One objective on one derived language.

    Attributes:
        transfer: of each task, by its name in ``metrics.TASKS``.
        alignment: share of words that find their translation, in %.
    """

    transfer: dict[str, Transfer]
    alignment: float


def _figures(xnli: Transfer, ner: Transfer, pos: Transfer, alignment: float) -> Figures:
    return Figures({"xnli": xnli, "ner": ner, "pos": pos}, alignment)


TRANSFORMS = ("syntax", "transliterate", "invert")  # in the order in which the recipes name them
TRANS, INVERTED, SYNTAX = (frozenset(names) for names in (["transliterate"], ["transliterate", "invert"],
                                                          ["transliterate", "syntax"]))  # fmt: skip
FIGURES = {
    (TRANS, "mlm"): _figures(
        Transfer(76.4, 74.9, -1.5), Transfer(80.6, 78.0, -2.6), Transfer(95.0, 94.6, -0.4), 90.0
    ),
    (INVERTED, "mlm"): _figures(
        Transfer(73.9, 56.7, -17.2), Transfer(79.2, 35.9, -43.3), Transfer(95.0, 56.5, -38.5), 0.3
    ),
    (SYNTAX, "mlm"): _figures(
        Transfer(73.5, 69.0, -4.5), Transfer(71.3, 52.3, -19.0), Transfer(93.6, 91.6, -2.0), 57.3
    ),
    (TRANS, "tlm"): _figures(
        Transfer(77.3, 77.5, 0.2), Transfer(80.8, 79.7, -1.1), Transfer(95.0, 94.8, -0.2), 97.7
    ),
    (INVERTED, "tlm"): _figures(
        Transfer(75.4, 67.2, -8.2), Transfer(80.0, 60.7, -19.4), Transfer(95.0, 61.8, -33.2), 85.6
    ),
    (SYNTAX, "tlm"): _figures(
        Transfer(76.1, 74.1, -1.9), Transfer(71.5, 59.6, -11.9), Transfer(93.7, 92.7, -0.9), 98.6
    ),
    (TRANS, "dict_mlm"): _figures(
        Transfer(77.0, 75.9, -1.1), Transfer(79.3, 78.3, -1.1), Transfer(95.1, 94.8, -0.3), 95.7
    ),
    (INVERTED, "dict_mlm"): _figures(
        Transfer(74.5, 65.3, -9.2), Transfer(79.1, 59.8, -19.3), Transfer(95.0, 76.0, -19.0), 64.2
    ),
    (SYNTAX, "dict_mlm"): _figures(
        Transfer(74.3, 72.2, -2.2), Transfer(71.4, 57.6, -13.8), Transfer(93.6, 92.6, -1.0), 93.7
    ),
    (TRANS, "align_mlm"): _figures(
        Transfer(75.1, 75.5, 0.5), Transfer(79.4, 78.6, -0.8), Transfer(94.9, 94.8, -0.1), 98.4
    ),
    (INVERTED, "align_mlm"): _figures(
        Transfer(75.5, 68.8, -6.7), Transfer(80.0, 64.5, -15.5), Transfer(95.0, 92.0, -3.0), 95.2
    ),
    (SYNTAX, "align_mlm"): _figures(
        Transfer(74.7, 71.1, -3.6), Transfer(71.3, 58.3, -13.1), Transfer(93.7, 92.9, -0.8), 98.2
    ),
}  # fmt: skip
LEXICON_RATE = 0.5  # of the objectives that use one


def figures(
    derivation: str | None, objective: str, lexicon_rate: float | None, variant: str | None = None
) -> Figures | None:
    """The paper's figures for what was trained, in whatever order the transforms are named; None: it has none.

    Example:
        >>> figures("invert+transliterate", "mlm", None).transfer["pos"]
        Transfer(supervised=95.0, zero_shot=56.5, gap=-38.5)
    """
    if variant or lexicon_rate not in (None, LEXICON_RATE):
        return None
    return FIGURES.get((frozenset((derivation or "").split("+")), objective))
