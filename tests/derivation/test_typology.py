"""Word-order statistics, counted and compared by hand."""

import pytest

from fairseq_align.derivation import syntax, typology
from tests.support.trees import ENGLISH, HEAD_FINAL, read


def test_directions_and_orders_are_counted_by_hand(tmp_path):
    found = typology.statistics(map(syntax.tree, read(tmp_path, ENGLISH + HEAD_FINAL)))
    assert found.direction == {
        ("NOUN", "amod"): (2, 2), ("NOUN", "case"): (1, 2), ("NOUN", "det"): (2, 2),
        ("VERB", "nsubj"): (2, 2), ("VERB", "obj"): (1, 2), ("VERB", "obl"): (1, 2),
    }  # fmt: skip
    assert found.order == {
        ("NOUN", "case", "det"): (1, 2), ("VERB", "nsubj", "obj"): (2, 2),
        ("VERB", "nsubj", "obl"): (2, 2), ("VERB", "obj", "obl"): (1, 2),
    }  # fmt: skip


def test_shares_differ_beyond_noise_by_hand():
    # 60 and 50 of 100: pooled 0.55, deviation 0.0704, difference 0.1 < 1.96 * 0.0704 = 0.138
    assert not typology.differ(typology.Share(60, 100), typology.Share(50, 100))
    # 70 and 50 of 100: pooled 0.6, deviation 0.0693, difference 0.2 > 0.136
    assert typology.differ(typology.Share(70, 100), typology.Share(50, 100))
    assert not typology.differ(typology.Share(50, 50), typology.Share(70, 70))


def test_statistics_that_were_there_are_counted_apart():
    counts = {  # of 100, but the target's ADJ of 49
        ("NOUN", "amod"): (95, 40, 30),
        ("VERB", "obj"): (5, 2, 50),
        ("VERB", "nsubj"): (90, 92, 92),
        ("ADJ", "obl"): (50, 50, 1),
    }
    shares = [{key: typology.Share(count[i], 100) for key, count in counts.items()} for i in range(3)]
    shares[2]["ADJ", "obl"] = typology.Share(1, 49)
    found = typology.compare(*shares, minimum=50)
    assert [(row["head"], *row["relations"], row["there"], row["moved"], row["arrived"]) for row in found] == [
        ("NOUN", "amod", False, True, True),
        ("VERB", "nsubj", True, True, True),
        ("VERB", "obj", False, False, False),
    ]
    counts = typology.summary(found)
    assert list(counts) == ["nouns", "verbs", "all heads"]
    assert counts["all heads"] == {
        "statistics": 3, "closer": 2, "there": 1, "stayed": 1, "away": 2, "moved": 1, "arrived": 1,
        "distance_before": pytest.approx((0.65 + 0.45 + 0.02) / 3, abs=1e-4),
        "distance_after": pytest.approx((0.1 + 0.48 + 0) / 3, abs=1e-4),
    }  # fmt: skip
