"""Sums over all orders, against those over permutations."""

import numpy as np
import pytest
import torch
from hypothesis import given

from fairseq_align.derivation import lattice
from fairseq_align.derivation.word_order import FIRST, LAST
from tests.support.heads import by_hand, cases, placed, random_order


@given(cases)
def test_the_sum_over_sets_of_dependents_is_that_over_permutations(case):
    dependents, column, seed = case
    order, each = random_order(seed), placed(dependents, column)
    group = next(lattice.groups([each], [*sorted(each.elements), FIRST, LAST]))
    scores = order.scores([*sorted(each.elements), FIRST, LAST])[:, group.ids[:, :, None], group.ids[:, None, :]]
    found = lattice.sides(torch.from_numpy(scores), torch.logsumexp)[2].logsumexp(-1).item()
    assert found == pytest.approx(np.logaddexp.reduce([*by_hand(order, *each).values()]), abs=1e-9)
