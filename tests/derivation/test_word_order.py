"""The features of an order, and the file of a word order."""

import json

import numpy as np
import pytest

from fairseq_align.derivation import order_fitting, word_order
from fairseq_align.errors import InputError
from tests.support.heads import SHE, VERB, head


def test_features_of_an_order_by_hand():
    # ^ she @ book now $ as numbers 8 0 1 2 3 9, head in column 2
    kinds, first, second = word_order.features(np.array([[8, 0, 1, 2, 3, 9]]), np.array([2]))
    found = sorted(zip(kinds[0].tolist(), first[0].tolist(), second[0].tolist(), strict=True))
    assert [feature for feature in found if feature[0] != word_order.NONE] == [
        *((word_order.PRECEDE, a, b) for a, b in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        *((word_order.AROUND, a, b) for a, b in [(0, 2), (0, 3)]),
        (word_order.AFTER, 2, 3),
        *((word_order.NEXT, a, b) for a, b in [(0, 1), (1, 2), (2, 3), (3, 9), (8, 0)]),
    ]


def test_an_order_is_written_and_read_back(tmp_path):
    order = order_fitting.fit([head(SHE, VERB, ("NOUN", "obl:tmod"))] * 9 + [head(VERB, SHE)], l2=0.1)
    path = tmp_path / "fr.order.json"
    word_order.save({"verbs": order}, path, treebank=["fr.conllu"])
    first = path.read_bytes()
    assert word_order.load(path, "verbs") == order
    assert json.loads(first)["treebank"] == ["fr.conllu"]
    word_order.save({"verbs": word_order.load(path, "verbs")}, path, treebank=["fr.conllu"])
    assert path.read_bytes() == first


def written(**change) -> str:
    order = {"heads": 1, "skipped": 0, "relations": {}, "weights": {}} | change
    return json.dumps({"format": word_order.FORMAT, "nouns": order})


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        "{}",
        '{"format": "another"}',
        json.dumps({"format": word_order.FORMAT, "verbs": {"weights": {}}}),
        written(relations=[]),
        written(weights={"x": {"a": {"b": 1}}}),
    ],
)
def test_a_file_that_holds_no_order_is_refused(tmp_path, content):
    path = tmp_path / "order.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="order.json: found .*expected the order of nouns; write the file with"):
        word_order.load(path, "nouns")
    with pytest.raises(InputError, match="none.json: found .*No such file"):
        word_order.load(tmp_path / "none.json", "nouns")
