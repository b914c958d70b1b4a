"""Word-order statistics of treebanks, and whether reordering moved a treebank towards the target language.

Two kinds of statistics, each a share of occurrences, punctuation left out:

    direction    of the dependents with a relation, those before their head                   (VERB, obj): 0.04
    order        of the pairs of dependents of one head with two relations, those in which    (VERB, advmod, obj): 0.61
                 the alphabetically first relation is first
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

from fairseq_align.derivation.syntax import CLASS, HEADS, Tree
from fairseq_align.derivation.word_order import universal
from fairseq_align.errors import InputError

Z = 1.959964  # two-sided 95 % of the normal distribution
GROUPS = (*HEADS, "all heads")
Key = tuple[str, ...]  # head tag and one relation, or two


class Share(NamedTuple):
    """``count`` of ``total`` occurrences, total > 0.

    Example:
        >>> Share(1, 4).value
        0.25
    """

    count: int
    total: int

    @property
    def value(self) -> float:
        return self.count / self.total


class Statistics(NamedTuple):
    """Word order of a treebank: see the top of this module."""

    direction: dict[Key, Share]
    order: dict[Key, Share]


def statistics(trees: Iterable[Tree], subtypes: bool = False) -> Statistics:
    """Count the word order of a treebank.

    Args:
        subtypes: keep the subtypes of relations (``nmod:poss``) apart.
    """
    direction, order = defaultdict(lambda: [0, 0]), defaultdict(lambda: [0, 0])
    for tree in trees:
        for head, word in enumerate(tree.words):
            dependents = [dependent for dependent in tree.group(head) if dependent != head]
            relations = [tree.words[dependent]["deprel"] for dependent in dependents]
            relations = relations if subtypes else [universal(relation) for relation in relations]
            for dependent, relation in zip(dependents, relations, strict=True):
                _add(direction[word["upos"], relation], dependent < head)
            for first, second in combinations(relations, 2):
                if first != second:
                    _add(order[word["upos"], *sorted((first, second))], first < second)
    return Statistics(_shares(direction), _shares(order))


def _shares(counts: dict[Key, list[int]]) -> dict[Key, Share]:
    return {key: Share(*count_and_total) for key, count_and_total in counts.items()}


def _add(counts: list[int], hit: bool) -> None:
    """Count one occurrence."""
    counts[0] += hit
    counts[1] += 1


def differ(one: Share, other: Share) -> bool:
    """Whether two shares differ significantly: two-sided z-test of two proportions, pooled, at 95 %.

    Example:
        >>> differ(Share(60, 100), Share(50, 100)), differ(Share(70, 100), Share(50, 100))
        (False, True)
    """
    pooled = (one.count + other.count) / (one.total + other.total)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / one.total + 1 / other.total))
    return abs(one.value - other.value) > Z * deviation


def compare(before: dict[Key, Share], after: dict[Key, Share], target: dict[Key, Share], minimum: int) -> list[dict]:
    """Compare the statistics that occur at least ``minimum`` times in the source and in the target.

    Args:
        before, after, target: statistics of the source treebank, the reordered one and that of the target language.

    Returns:
        a row for each statistic: ``head`` and ``relations``; the shares ``before``, ``after`` and ``target`` with their
        totals; ``there``: the source does not ``differ`` from the target; ``arrived``: the reordered treebank does not;
        ``moved``: it is closer to the target than the source is.

    Raises:
        InputError: the result is no reordering of the source.
    """
    changed = [key for key in sorted(before) if key not in after or after[key].total != before[key].total]
    if changed or len(after) != len(before):
        raise InputError(
            f"found other relations in the result than in the source ({', '.join((changed or sorted(after))[0])}), "
            "expected the same trees in another order; give the file that fairseq-align syntax apply made of the source"
        )
    rows = []
    for key in sorted(before):
        if before[key].total < minimum or key not in target or target[key].total < minimum:
            continue
        shares = {"before": before[key], "after": after[key], "target": target[key]}
        row = {"head": key[0], "relations": list(key[1:])}
        row |= {name: round(share.value, 4) for name, share in shares.items()}
        row |= {f"{name}_total": share.total for name, share in shares.items()}
        row["there"] = not differ(before[key], target[key])
        row["arrived"] = not differ(after[key], target[key])
        row["moved"] = abs(after[key].value - target[key].value) < abs(before[key].value - target[key].value)
        rows.append(row)
    return rows


def summary(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Counts over the rows of ``compare`` by group of heads: nouns, verbs, others, all; those without rows left out.

    Returns:
        for each group: ``statistics``, the number of rows; ``closer``, rows whose share came closer to the target;
        ``there``, rows in which the source does not differ from the target, and ``stayed``, those of them in which the
        reordered treebank does not, either; ``away``, all other rows, and ``moved`` and ``arrived`` of these;
        ``distance_before`` and ``distance_after``, the mean absolute difference to the target.
    """
    result = {}
    for group in GROUPS:
        group_rows = [row for row in rows if group in (CLASS.get(row["head"]), "all heads")]
        away = [row for row in group_rows if not row["there"]]
        if group_rows:
            result[group] = {
                "statistics": len(group_rows),
                "closer": sum(row["moved"] for row in group_rows),
                "there": len(group_rows) - len(away),
                "stayed": sum(row["there"] and row["arrived"] for row in group_rows),
                "away": len(away),
                "moved": sum(row["moved"] for row in away),
                "arrived": sum(row["arrived"] for row in away),
                "distance_before": _distance(group_rows, "before"),
                "distance_after": _distance(group_rows, "after"),
            }
    return result


def _distance(rows: list[dict], name: str) -> float:
    """Mean absolute difference to the target of the shares ``name``."""
    return round(sum(abs(row[name] - row["target"]) for row in rows) / len(rows), 4)
