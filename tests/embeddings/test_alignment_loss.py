"""The alignment loss: by hand, against float64, and its properties; lexicon words as ids."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.embeddings import alignment_loss as alignment
from fairseq_align.embeddings.alignment_loss import LOSSES, Blocks
from fairseq_align.lexicon import words as lexicon
from fairseq_align.lexicon.file import Entry
from fairseq_align.lexicon.words import Pairs, Words

# cos(row 0, row 1) = 24/25, cos(row 2, row 3) = 0
TABLE = torch.tensor([[3.0, 4.0], [4.0, 3.0], [1.0, 0.0], [0.0, 2.0]])


def pairs(source: list[list[int]], target: list[list[int]], weights=None) -> Pairs:
    weights = torch.ones(len(source)) if weights is None else torch.tensor(weights)
    return Pairs(Words.of(source), Words.of(target), weights)


def test_cosine_loss_by_hand():
    loss = alignment.alignment_loss(TABLE, pairs([[0], [2]], [[1], [3]]))
    assert loss.item() == pytest.approx(-0.48)  # -(0.96 + 0) / 2


def test_l2_loss_by_hand():
    loss = alignment.alignment_loss(TABLE, pairs([[0], [2]], [[1], [3]]), LOSSES["l2"]())
    assert loss.item() == pytest.approx(3.5)  # (1 + 1) and (1 + 4), halved


def test_weights_make_a_weighted_mean():
    loss = alignment.alignment_loss(TABLE, pairs([[0], [2]], [[1], [3]], [3.0, 1.0]))
    assert loss.item() == pytest.approx(-0.72)  # -(3 * 0.96 + 0) / 4


def test_words_of_several_pieces_are_the_mean_of_their_pieces():
    # rows 2 and 3 have the mean (0.5, 1), whose cosine with row 0 is (1.5 + 4) / (5 * sqrt(1.25)) = 0.98387
    loss = alignment.alignment_loss(TABLE, pairs([[2, 3]], [[0]]))
    assert loss.item() == pytest.approx(-0.98387, abs=1e-5)


words = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=4), min_size=6, max_size=6)


def float64_loss(table, source, target, weights, kind):
    """Written from the formula, one pair after the other."""
    table = table.detach().numpy().astype(np.float64)
    if kind in REFERENCES:
        return REFERENCES[kind](table, source, target, weights)
    total = 0.0
    for s, t, weight in zip(source, target, weights, strict=True):
        a, b = table[s].mean(0), table[t].mean(0)
        total += weight * (-(a @ b) / np.sqrt((a @ a) * (b @ b)) if kind == "cosine" else ((a - b) ** 2).sum())
    return total / sum(weights)


def float64_contrastive(table, source, target, weights, temperature=0.1):
    pairs = {(tuple(s), tuple(t)) for s, t in zip(source, target, strict=True)}
    sources, targets = ({pair[side] for pair in pairs} for side in (0, 1))

    def score(s, t):
        a, b = (table[list(word)].mean(0) for word in (s, t))
        return a @ b / np.sqrt((a @ a) * (b @ b)) / temperature

    total = 0.0
    for s, t, weight in zip(map(tuple, source), map(tuple, target), weights, strict=True):
        others = [score(s, other) for other in targets if (s, other) not in pairs]
        back = [score(other, t) for other in sources if (other, t) not in pairs]
        for wrong in (others, back):
            total += weight * (np.log(np.exp([score(s, t), *wrong]).sum()) - score(s, t)) / 2
    return total / sum(weights)


def cosine(table, s, t) -> float:
    a, b = (table[list(word)].mean(0) for word in (s, t))
    return a @ b / np.sqrt((a @ a) * (b @ b))


def float64_csls(table, source, target, weights):
    sources, targets = ({tuple(word) for word in side} for side in (source, target))
    total = 0.0
    for s, t, weight in zip(source, target, weights, strict=True):
        near = [sorted(cosine(table, s, other) for other in targets)[-10:]]
        near.append(sorted(cosine(table, other, t) for other in sources)[-10:])
        total += weight * (np.mean(near[0]) + np.mean(near[1]) - 2 * cosine(table, s, t))
    return total / sum(weights)


def float64_rsim(table, source, target, weights):
    pairs = list(zip(source, target, weights, strict=True))
    inside = [(p, q) for p in pairs for q in pairs if p[:2] != q[:2]]
    if not inside:
        return 1.0
    shares = np.array([p[2] * q[2] for p, q in inside])
    covariance = np.cov(
        [[cosine(table, p[side], q[side]) for p, q in inside] for side in (0, 1)], aweights=shares, ddof=0
    )
    spread = np.sqrt(np.maximum(covariance.diagonal(), 1e-12))
    return 1 - covariance[0, 1] / spread.prod()


def float64_procrustes(table, source, target, weights):
    """In closed form: |s|^2 + |t|^2 less twice the sum of singular values."""
    unit = [
        np.array([v / np.linalg.norm(v) for v in (table[word].mean(0) for word in side)]) for side in (source, target)
    ]
    product = (unit[0] * np.array(weights)[:, None]).T @ unit[1]
    return 2 - 2 * np.linalg.svd(product, compute_uv=False).sum() / sum(weights)


REFERENCES = {
    "contrastive": float64_contrastive,
    "csls": float64_csls,
    "rsim": float64_rsim,
    "procrustes": float64_procrustes,
}
LOWEST = {"cosine": -1, "csls": -4}  # of others: 0


@pytest.mark.parametrize("kind", LOSSES)
@given(source=words, target=words, seed=st.integers(0, 99))
def test_loss_equals_the_formula_in_float64(kind, source, target, seed):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(20, 8, generator=generator)
    weights = (torch.rand(6, generator=generator) + 0.1).tolist()
    loss = alignment.alignment_loss(table, pairs(source, target, weights), LOSSES[kind]())
    expected = float64_loss(table, source, target, weights, kind)
    assert loss.item() == pytest.approx(expected, rel=1e-5 if kind in REFERENCES else 1e-6, abs=2e-6)


def many(seed: int) -> tuple[list[list[int]], list[list[int]], list[float]]:
    """Source and target words and weights of 15 pairs: more than CSLS has neighbours."""
    rng = np.random.default_rng(seed)
    sides = ([rng.choice(20, rng.integers(1, 4)).tolist() for _ in range(15)] for _ in range(2))
    return *sides, rng.uniform(0.1, 1, 15).tolist()


@pytest.mark.parametrize("kind", LOSSES)
@given(seed=st.integers(0, 99), order=st.permutations(range(15)))
def test_loss_of_many_weighted_pairs_equals_the_formula_in_any_order(kind, seed, order):
    table, (source, target, weights) = torch.randn(20, 8, generator=torch.Generator().manual_seed(seed)), many(seed)
    expected = float64_loss(table, source, target, weights, kind)
    some = pairs(source, target, weights)
    for same in (some, some.take(np.array(order))):
        assert alignment.alignment_loss(table, same, LOSSES[kind]()).item() == pytest.approx(
            expected, rel=1e-5, abs=2e-6
        )


def test_contrastive_loss_by_hand():
    # cosines: (0, 1) 0.96, (0, 3) 0.8, (2, 1) 0.8, (2, 3) 0; each word has one wrong answer in each direction
    some = pairs([[0], [2]], [[1], [3]])
    right, wrong = np.exp([9.6, 0]), np.exp(8)
    expected = -np.log(right / (right + wrong)).mean()
    assert alignment.alignment_loss(TABLE, some, LOSSES["contrastive"]()).item() == pytest.approx(expected, rel=1e-5)
    # with all four pairs in the lexicon no answer is wrong, and nothing is learnt
    table = TABLE.clone().requires_grad_()
    loss = alignment.alignment_loss(table, pairs([[0], [0], [2], [2]], [[1], [3], [1], [3]]), LOSSES["contrastive"]())
    loss.backward()
    assert loss.item() == 0 and not table.grad.any()


def test_csls_loss_by_hand():
    # cosines 0.96, 0.8, 0.8 and 0, fewer than 10 words: all are neighbours, with means 0.88 and 0.4 on either side
    loss = alignment.alignment_loss(TABLE, pairs([[0], [2]], [[1], [3]]), LOSSES["csls"]())
    assert loss.item() == pytest.approx((0.88 + 0.88 - 2 * 0.96 + 0.4 + 0.4 - 2 * 0) / 2, abs=1e-6)


def test_csls_takes_ten_neighbours_of_each_word():
    """Twelve words of each language at right angles: ten neighbours are the translation and nine zeros."""
    table = torch.eye(12).repeat(2, 1)
    loss = alignment.alignment_loss(
        table, pairs([[i] for i in range(12)], [[12 + i] for i in range(12)]), LOSSES["csls"]()
    )
    assert loss.item() == pytest.approx(0.1 + 0.1 - 2)


def test_relational_similarity_by_hand():
    # cosines inside one language: 1, 0, 0 (rows 0, 1, 2); inside the other one: 0, 0, 1 (rows 0, 2, 3)
    table = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    loss = alignment.alignment_loss(table, pairs([[0], [1], [2]], [[0], [2], [3]]), LOSSES["rsim"]())
    assert loss.item() == pytest.approx(1.5)  # means 1/3, variances 2/9, covariance -1/9: a correlation of -1/2


def test_procrustes_loss_by_hand():
    # two pairs at right angles against two at 60 degrees: the best rotation leaves 15 degrees to each
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.5, 0.75**0.5]])
    loss = alignment.alignment_loss(table, pairs([[0], [1]], [[2], [3]]), LOSSES["procrustes"]())
    assert loss.item() == pytest.approx(2 - 2 * np.cos(np.pi / 12))


@pytest.mark.parametrize("kind", ["rsim", "procrustes"])
def test_losses_of_relations_are_0_for_a_rotation(kind):
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(20, 6, dtype=torch.float64, generator=generator)
    rotation = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=generator)).Q
    table = torch.cat([table, 3 * table @ rotation])
    some = pairs([[row] for row in range(20)], [[20 + row] for row in range(20)])
    assert alignment.alignment_loss(table, some, LOSSES[kind]()).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kind", ["rsim", "procrustes"])
def test_each_lexicon_has_a_rotation_of_its_own(kind):
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(20, 6, dtype=torch.float64, generator=generator)
    rotations = [torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=generator)).Q for _ in range(2)]
    table = torch.cat([table, *(table @ rotation for rotation in rotations)])
    english, others = [[row] for row in range(20)], [[row] for row in range(20, 60)]
    apart = in_lexicons(pairs(english * 2, others), [20, 20])
    assert alignment.alignment_loss(table, apart, LOSSES[kind]()).item() == pytest.approx(0, abs=1e-12)
    assert alignment.alignment_loss(table, replace(apart, lexicons=None), LOSSES[kind]()).item() > 0.1


def in_lexicons(some: Pairs, counts: list[int]) -> Pairs:
    """The same pairs, the first of which are of one lexicon, the others of the next."""
    return replace(some, lexicons=torch.tensor([number for number, count in enumerate(counts) for _ in range(count)]))


@pytest.mark.parametrize("kind", ["rsim", "procrustes"])
@given(seed=st.integers(0, 99), order=st.permutations(range(15)), first=st.integers(1, 14))
def test_the_loss_of_several_lexicons_is_the_weighted_mean_of_theirs_in_any_order(kind, seed, order, first):
    table = torch.randn(20, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    source, target, weights = many(seed)
    parts = [[side[rows] for side in (source, target, weights)] for rows in (slice(first), slice(first, None))]
    expected = sum(float64_loss(table, *part, kind) * sum(part[2]) for part in parts) / sum(weights)
    some = in_lexicons(pairs(source, target, weights), [first, 15 - first]).take(np.array(order))
    for loss in (alignment.alignment_loss, term):
        assert loss(table, some, LOSSES[kind]()).item() == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("kind", ["rsim", "procrustes"])
def test_the_gradient_of_several_lexicons_is_right(kind):
    table = torch.randn(20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    some = in_lexicons(pairs(*many(1)), [6, 9])
    assert torch.autograd.gradcheck(lambda t: alignment.alignment_loss(t, some, LOSSES[kind]()), table)
    assert torch.allclose(*(gradient(loss, table.detach(), some, kind)[1] for loss in (alignment.alignment_loss, term)))


@pytest.mark.parametrize("some", [([[0], [1, 2], [3]], [[4], [5], [6, 0, 6]], [1.0, 0.5, 2.0]), many(1)])
@pytest.mark.parametrize("kind", LOSSES)
def test_gradient_is_right(kind, some):
    table = torch.randn(20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    some = pairs(*some)
    assert torch.autograd.gradcheck(lambda t: alignment.alignment_loss(t, some, LOSSES[kind]()), table)


def term(table, some, pair_loss) -> torch.Tensor:
    return alignment.alignment_term(table, Blocks(some, pair_loss))


def gradient(loss, table, some, kind, batches=(1.0,)) -> tuple[list[float], torch.Tensor]:
    """Values and gradient of a loss beside another one of the same table, which autograd adds up over batches."""
    table = table.clone().requires_grad_()
    values = []
    for scale in batches:
        values.append(loss(table, some, LOSSES[kind]()))
        (scale * (3 * values[-1] + table.square().sum())).backward()
    return [value.item() for value in values], table.grad


@pytest.mark.parametrize("kind", LOSSES)
@given(source=words, target=words, seed=st.integers(0, 99))
def test_the_term_is_the_loss_with_its_gradient_added_in_place(kind, source, target, seed):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(20, 8, generator=generator, dtype=torch.float64)
    some = pairs(source, target, (torch.rand(6, generator=generator) + 0.1).tolist())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(alignment.BLOCKS, "cpu", 4)
        found, found_gradient = gradient(term, table, some, kind, (0.5, 1024.0))
    expected, expected_gradient = gradient(alignment.alignment_loss, table, some, kind, (0.5, 1024.0))
    assert found == pytest.approx(expected, rel=1e-12)
    assert torch.allclose(found_gradient, expected_gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2), (torch.float16, 2e-3)])
def test_the_term_keeps_small_gradients_of_halves(dtype, tolerance):
    """With the scale of the loss of fp16 training; unscaled, they are below the smallest half."""
    table = torch.randn(2000, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
    some = pairs([[row] for row in range(1000)], [[row] for row in range(1000, 2000)])
    table_gradient = table.clone().requires_grad_()
    (1e-3 * alignment.alignment_term(table_gradient, Blocks(some)) * 2**14 + 0 * table_gradient.sum()).backward()
    exact = table.double().requires_grad_()
    (1e-3 * alignment.alignment_loss(exact, some) * 2**14).backward()
    assert table_gradient.grad.dtype == dtype
    assert torch.allclose(table_gradient.grad.double(), exact.grad, rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e4, 1e8])
def test_zero_equal_and_huge_vectors_have_finite_losses_and_gradients(kind, scale):
    table = torch.ones(4, 8) * scale
    found, found_gradient = gradient(term, table, pairs([[0], [2]], [[1], [3]]), kind)
    assert np.isfinite(found).all() and found_gradient.isfinite().all()


@pytest.mark.parametrize("kind", LOSSES)
@given(source=words, target=words, order=st.permutations(range(6)))
def test_loss_ignores_pair_order_side_and_repetition(kind, source, target, order):
    table = torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
    loss = alignment.alignment_loss(table, pairs(source, target), LOSSES[kind]())
    shuffled = pairs([source[i] for i in order], [target[i] for i in order])
    for same in (shuffled, pairs(target, source), pairs(source * 2, target * 2)):
        assert alignment.alignment_loss(table, same, LOSSES[kind]()).item() == pytest.approx(
            loss.item(), rel=1e-5, abs=1e-6
        )
    assert loss.item() >= LOWEST.get(kind, 0) - 1e-6 and (kind != "cosine" or loss.item() <= 1 + 1e-6)


@given(st.floats(1e-3, 1e3))
def test_cosine_ignores_the_length_of_vectors(scale):
    some = pairs([[0], [2]], [[1], [3]])
    table = TABLE * torch.tensor([[scale], [1], [1], [1 / scale]])
    assert alignment.alignment_loss(table, some).item() == pytest.approx(-0.48, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_tables_are_computed_in_float32(dtype):
    table = TABLE.to(dtype)
    some = pairs([[0], [2]], [[1], [3]])
    loss = alignment.alignment_loss(table, some)
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(-0.48, abs=1e-6)


def test_zero_and_identical_vectors_give_finite_gradients():
    table = torch.tensor([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0]], requires_grad=True)
    alignment.alignment_loss(table, pairs([[0], [1]], [[1], [2]])).backward()
    assert table.grad.isfinite().all()


@given(words, st.lists(st.integers(0, 5), min_size=1, max_size=9))
def test_taking_rows_of_words_keeps_their_pieces(rows, chosen):
    expected = Words.of([rows[i] for i in chosen])
    for taken in (Words.of(rows).take(torch.tensor(chosen)), Words.of(rows).drawn(np.array(chosen))):
        assert taken.ids.tolist() == expected.ids.tolist() and taken.offsets.tolist() == expected.offsets.tolist()


@given(words)
def test_equal_words_have_equal_numbers(rows):
    numbers, first = (part.tolist() for part in Words.of(rows).kinds())
    assert {n: row for n, row in zip(numbers, rows, strict=True)} == {n: rows[numbers.index(n)] for n in set(numbers)}
    assert len(set(numbers)) == len(set(map(tuple, rows))) == max(numbers) + 1
    assert first == [numbers.index(number) for number in range(max(numbers) + 1)]


@given(st.lists(words, min_size=1, max_size=3))
def test_words_of_several_lists_are_laid_one_after_the_other(lists):
    joined, expected = Words.cat([Words.of(rows) for rows in lists]), Words.of(sum(lists, []))
    assert joined.ids.tolist() == expected.ids.tolist() and joined.offsets.tolist() == expected.offsets.tolist()


def test_distinct_words_keep_their_first_order():
    merged = lexicon.unique(Words.of([[5], [1, 2]]), Words.of([[1, 2], [7], [5]]))
    assert merged.ids.tolist() == [5, 1, 2, 7] and merged.offsets.tolist() == [0, 1, 3]


def test_dictionary_symbols_become_ids():
    dictionary = Dictionary()
    for symbol in ("a", "b", "c"):
        dictionary.add_symbol(symbol)
    found = lexicon.pairs([Entry(("a", "c"), ("b",), 0.5)], dictionary)
    assert (found.source.ids.tolist(), found.target.ids.tolist(), found.weights.tolist()) == ([4, 6], [5], [0.5])
