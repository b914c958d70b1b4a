"""The objectives of pre-training: one row each, with all that tables, figures, commands and model cards say about it.

To add an objective, add its row here. Colours in figures follow the order of the rows.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

Settings = Mapping[str, object]  # of one group of a checkpoint's configuration, by name


class Objective(NamedTuple):
    """One objective of pre-training.

    Attributes:
        name: in results, on command lines and in recipes.
        label: in tables, figures and model cards.
        needs: what training needs beside monolingual text, of {"lexicon", "parallel"}.
        is_active: whether the settings of the task and the criterion of a checkpoint make it a part of the loss.
        weight: setting of the criterion that is its weight beside the MLM loss (the paper's alpha); None: it has none.

    Example:
        >>> OBJECTIVES["align_mlm"].is_active({}, {"align_weight": 10.0})
        True
        >>> [objective.label for objective in OBJECTIVES.values() if "lexicon" in objective.needs]
        ['DICT-MLM', 'ALIGN-MLM']
    """

    name: str
    label: str
    needs: frozenset[str]
    is_active: Callable[[Settings, Settings], bool]
    weight: str | None = None


def active(task: Settings, criterion: Settings) -> list[str]:
    """Names of the objectives that settings make a part of the loss; ``mlm`` alone if there is nothing beside it.

    Example:
        >>> active({"tlm_pairs": "en:fr"}, {"align_weight": 10.0}), active({}, {})
        (['tlm', 'align_mlm'], ['mlm'])
    """
    found = [row.name for row in OBJECTIVES.values() if row.is_active(task, criterion)]
    return found[1:] or found


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("mlm", "MLM", frozenset(), lambda task, criterion: True),
        Objective("tlm", "TLM", frozenset({"parallel"}), lambda task, criterion: bool(task.get("tlm_pairs"))),
        Objective("dict_mlm", "DICT-MLM", frozenset({"lexicon"}), lambda task, criterion: bool(task.get("dict_mlm"))),
        Objective(
            "align_mlm",
            "ALIGN-MLM",
            frozenset({"lexicon"}),
            lambda task, criterion: bool(criterion.get("align_weight")),
            weight="align_weight",
        ),
    )
}
