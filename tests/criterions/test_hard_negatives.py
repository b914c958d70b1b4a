"""Hard negatives: which words they are, by hand; their loss, by hand and against float64; a training with them."""

import itertools
import re

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.criterions.hard_negatives import HardNegatives
from fairseq_align.data import binarized
from fairseq_align.embeddings.alignment_loss import Blocks, Contrastive, alignment_loss, alignment_term
from fairseq_align.embeddings.induction import nearest_others
from fairseq_align.embeddings.retrieval import Space
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Pairs, Words
from tests.stress import runs

HARD = ["--align-loss", "contrastive", "--hard-negatives", 3, "--hard-negatives-every", 4]


def pairs(source, target, negatives=None, weights=None) -> Pairs:
    weights = torch.ones(len(source)) if weights is None else torch.tensor(weights)
    named = negatives and tuple(map(Words.of, negatives))
    return Pairs(Words.of(source), Words.of(target), weights, negatives=named)


def found_words(joined: Pairs) -> tuple[list, list]:
    return tuple(list(words.tuples()) for words in joined.negatives)


@pytest.fixture
def search(tmp_path) -> HardNegatives:
    """The English text has the words 4 to 6, the French one 8 to 10 and 4."""
    dictionary = Dictionary()
    for number in range(8):
        dictionary.add_symbol(f"\u2581w{number}")
    for lang, words in (("en", [4, 4, 5, 6]), ("fr", [8, 8, 9, 10, 4])):
        with binarized.writer(tmp_path / lang / "train", len(dictionary)) as out:
            out.add(torch.tensor([*words, 2]).numpy(), torch.tensor([len(words) + 1]).numpy())
    return HardNegatives(1, 10, [("en", "fr")], 100, dictionary, tmp_path)


def angles(**degrees: float) -> torch.Tensor:
    """A table whose rows have these angles, of the length 1."""
    table = torch.zeros(12, 2)
    for row, degree in degrees.items():
        table[int(row[1:])] = torch.tensor([np.cos(np.radians(degree)), np.sin(np.radians(degree))])
    return table


TABLE = angles(w4=0, w5=50, w6=90, w8=1, w9=52, w10=20)


def test_the_nearest_words_that_are_no_translations_by_hand(search):
    lexicon = pairs([[4], [5], [4]], [[8], [9], [9]])
    joined = search.joined(lexicon, search.find(TABLE, lexicon))
    # of 4 the nearest are itself, 8 and, behind 10, 9: the first is no answer, 8 and 9 translate it
    # of 5 the nearest is 9, its translation, then 10; of 8 that is 4, then 5; of 9 it is 5, then 6, as 4 translates it
    assert found_words(joined) == ([(10,), (10,), (10,)], [(5,), (6,), (6,)])


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_what_is_found_does_not_depend_on_the_order_of_pairs(search, order):
    table, order = torch.randn(12, 4, generator=torch.Generator().manual_seed(1)), np.array(order)
    lexicon = pairs([[4], [5], [4]], [[8], [9], [9]])
    expected, found = (search.joined(some, search.find(table, some)) for some in (lexicon, lexicon.take(order)))
    assert found_words(found) == found_words(expected.take(order))


def test_without_languages_candidates_are_the_words_of_the_lexicon(search):
    alone = HardNegatives(1, 10, (), 100, search.dictionary, search.data)
    lexicon = pairs([[4], [5], [6]], [[8], [9], [10]])
    joined = alone.joined(lexicon, alone.find(TABLE, lexicon))
    assert found_words(joined) == ([(10,), (10,), (9,)], [(5,), (6,), (4,)])


def test_what_was_found_for_other_pairs_has_another_checksum(search):
    some = pairs([[4], [5]], [[8], [9]])
    assert search.checksum(some) == search.checksum(pairs([[4], [5]], [[8], [9]]))
    others = [pairs([[4], [5]], [[9], [8]]), pairs([[4], [6]], [[8], [9]]), pairs([[4]], [[8]])]
    assert len({search.checksum(other) for other in (some, *others)}) == 4


def test_more_than_there_are_wrong_answers_are_refused(search):
    alone = HardNegatives(2, 10, (), 100, search.dictionary, search.data)
    with pytest.raises(
        InputError, match="found --hard-negatives 2, expected at most 1, all wrong answers to some word"
    ):
        alone.find(TABLE, pairs([[4], [5]], [[8], [9]]))


@given(st.integers(0, 99), st.integers(1, 4), st.integers(1, 9))
def test_nearest_others_are_those_of_the_whole_matrix_in_float64(seed, count, block):
    generator = torch.Generator().manual_seed(seed)
    tables = [torch.randn(n, 3, generator=generator) for n in (5, 8)]
    spaces = [Space(table, Words(torch.arange(len(table)), torch.arange(len(table)))) for table in tables]
    left_out = torch.stack([torch.randint(0, n, (4,), generator=generator) for n in (5, 8)], dim=1).unique(dim=0)
    found = nearest_others(*spaces, left_out, count, block)
    one, other = (table.double() / table.double().norm(dim=1, keepdim=True) for table in tables)
    cosines = one @ other.T
    cosines[left_out[:, 0], left_out[:, 1]] = -2
    assert found.tolist() == cosines.argsort(dim=1, descending=True)[:, :count].tolist()


def test_pairs_that_are_drawn_keep_their_negatives():
    some = pairs([[0], [1, 2], [3]], [[4], [5], [6]], ([[7], [8, 9], [1], [2], [3], [4]], [[0]] * 5 + [[5, 6]]))
    taken = some.take(np.array([2, 0]))
    assert found_words(taken) == ([(3,), (4,), (7,), (8, 9)], [(0,), (5, 6), (0,), (0,)])
    assert found_words(taken.to(torch.device("cpu")).with_kinds()) == found_words(taken)


def test_the_loss_by_hand():
    # cosines with (3, 4): of (4, 3) 0.96, of the negative (1, 0) 0.6; with (4, 3): of the negative (0, 2) 0.6
    table = torch.tensor([[3.0, 4.0], [4.0, 3.0], [1.0, 0.0], [0.0, 2.0]])
    loss = alignment_loss(table, pairs([[0]], [[1]], ([[2]], [[3]])), Contrastive())
    assert loss.item() == pytest.approx(np.log1p(np.exp(6 - 9.6)), rel=1e-5)
    # two negatives, and the other pair's words: cosine of (3, 4) and (0, 2) 0.8, of (1, 0) and (4, 3) 0.8
    loss = alignment_loss(
        table, pairs([[0], [2]], [[1], [3]], ([[2], [3], [1], [2]], [[3], [0], [2], [2]])), Contrastive()
    )
    e = np.exp
    expected = np.log1p((e(8) + e(6) + e(8)) / e(9.6)), np.log1p((e(8) + e(6) + e(9.6)) / e(9.6))
    expected += np.log1p((e(8) + e(8) + e(10)) / e(0)), np.log1p((e(8) + e(0) + e(0)) / e(0))
    assert loss.item() == pytest.approx(sum(expected) / 4, rel=1e-5)


words = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=3), min_size=4, max_size=4)
many = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=3), min_size=12, max_size=12)


def float64_loss(table, some: Pairs, temperature=0.1) -> float:
    table = table.numpy().astype(np.float64)
    source, target, *negatives = (list(words.tuples()) for words in some.words)
    known = set(zip(source, target, strict=True))

    def score(s, t):
        a, b = (table[list(word)].mean(0) for word in (s, t))
        return np.exp(a @ b / np.sqrt((a @ a) * (b @ b)) / temperature)

    total, count = 0.0, len(negatives[0]) // len(source)
    for i, (s, t) in enumerate(zip(source, target, strict=True)):
        hard = [side[i * count : (i + 1) * count] for side in negatives]
        wrong = sum(score(s, other) for other in {*target} if (s, other) not in known) + sum(
            score(s, n) for n in hard[0]
        )
        back = sum(score(other, t) for other in {*source} if (other, t) not in known) + sum(
            score(n, t) for n in hard[1]
        )
        total += some.weights[i].item() * (np.log1p(wrong / score(s, t)) + np.log1p(back / score(s, t))) / 2
    return total / some.weights.sum().item()


@given(source=words, target=words, hard=st.tuples(many, many), order=st.permutations(range(4)), seed=st.integers(0, 99))
def test_the_loss_equals_the_formula_in_float64_and_ignores_the_order_of_pairs(source, target, hard, order, seed):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(20, 8, generator=generator)
    some = pairs(source, target, hard, (torch.rand(4, generator=generator) + 0.1).tolist())
    expected = float64_loss(table, some)
    for same in (some, some.take(np.array(order))):
        assert alignment_loss(table, same, Contrastive()).item() == pytest.approx(expected, rel=1e-5, abs=2e-6)


@given(source=words, target=words, hard=st.tuples(many, many), seed=st.integers(0, 99))
def test_the_term_is_the_loss_with_its_gradient_added_in_place(source, target, hard, seed):
    some = pairs(source, target, hard)
    found = []
    for loss in (
        lambda table: alignment_term(table, Blocks(some, Contrastive())),
        lambda table: alignment_loss(table, some, Contrastive()),
    ):
        generator = torch.Generator().manual_seed(seed)
        table = torch.randn(20, 8, generator=generator, dtype=torch.float64).requires_grad_()
        value = loss(table)
        (3 * value + table.square().sum()).backward()
        found.append((value, table.grad))
    assert all(torch.allclose(ours, plain, rtol=1e-10, atol=1e-12) for ours, plain in zip(*found, strict=True))


def test_the_gradient_is_right():
    table = torch.randn(9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    some = pairs([[0], [1, 2]], [[4], [5]], ([[6], [7, 0], [8], [6]], [[3], [2], [0, 8], [1]]), [1.0, 0.5])
    assert torch.autograd.gradcheck(lambda rows: alignment_loss(rows, some, Contrastive()), table)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.write_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.mark.forks
def test_a_run_searches_again_and_without_negatives_is_as_before_to_the_bit(data, tmp_path):
    for name, flags in (("hard", HARD), ("zero", [*HARD[:2], "--hard-negatives", 0]), ("without", HARD[:2])):
        assert runs.finish(runs.settings(data, *flags), tmp_path / name, 10) == 0, runs.log_of(
            tmp_path / name
        ).read_text()
    log = runs.log_of(tmp_path / "hard").read_text()
    told = r"update (\d+): each of 60 source and 60 target words is told from its 3 nearest wrong answers"
    assert re.findall(told, log) == ["0", "4", "8"]
    hard, zero, without = (runs.state(tmp_path / name / "checkpoint_last.pt") for name in ("hard", "zero", "without"))
    assert runs.same(zero, without) and not runs.same(hard["model"], without["model"])
    losses = [runs.losses(tmp_path / name) for name in ("hard", "without")]
    assert float(losses[0][1][2]) > float(losses[1][1][2])  # more wrong answers, and the same table
    kept = hard["task"]["negatives"]
    assert kept.keys() == {"update", "of", "source", "target"} and kept["update"] == 8
    assert kept["source"].shape == kept["target"].shape == (60, 3)


@pytest.mark.forks
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--hard-negatives", 3],
            "found --hard-negatives with --align-loss cosine, expected contrastive, which has room",
        ),
        ([*HARD[:2], "--hard-negatives", 60], "found --hard-negatives 60, expected at most 59, all wrong answers"),
        (
            [*HARD, "--hard-negatives-langs", "a"],
            "--hard-negatives-langs: found 'a', expected two languages, e.g. en:fr",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(data, tmp_path, flags, message):
    assert runs.finish(runs.settings(data, *flags), tmp_path / "run", 2) == 1
    assert message in runs.log_of(tmp_path / "run").read_text().splitlines()[-1]
