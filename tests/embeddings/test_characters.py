"""Words composed of their characters: n-grams and their numbers by hand, the loss against float64, what shares what."""

import sys
from argparse import Namespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.embeddings.alignment_loss import LOSSES, Blocks, alignment_loss, alignment_term
from fairseq_align.embeddings.characters import WEIGHT, Characters, NGrams, composed, trained
from fairseq_align.embeddings.retrieval import Space, mean_cosine, precision_at_1
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Pairs, Words
from fairseq_align.text import vocabulary

DICTIONARY = vocabulary.of_symbols(["\u2581ab", "\u2581b", "b", "c", "\u2581a", "\u2581Na", "tion", "\u2581nation"])
AB, B, INNER_B, C, A, NA, TION, NATION = range(4, 12)


def pairs(source, target, weights=None) -> Pairs:
    weights = torch.ones(len(source)) if weights is None else torch.tensor(weights)
    return Pairs(Words.of(source), Words.of(target), weights)


def bigrams() -> Characters:
    """Vectors of the bigrams of ``ab`` and ``b``: (3, 0) of ``<a``, (0, 6) of ``b>``, 0 of all others."""
    ngrams = NGrams(DICTIONARY, 100_000, 2, 2)
    weight = torch.zeros(100_000, 2)
    weight[ngrams.of(Words.of([[AB]])).ids[0]] = torch.tensor([3.0, 0.0])
    weight[ngrams.of(Words.of([[AB]])).ids[2]] = torch.tensor([0.0, 6.0])
    return Characters(ngrams, weight)


def test_ngrams_have_the_ends_of_the_word_and_no_case_and_do_not_know_pieces():
    ngrams = NGrams(DICTIONARY, 1000)
    assert ngrams.spelt((AB,)) == ngrams.spelt((A, INNER_B)) == ["<ab", "ab>", "<ab>"]
    assert ngrams.spelt((NA, TION)) == ngrams.spelt((NATION,)) and "<na" in ngrams.spelt((NA, TION))
    assert NGrams(DICTIONARY, 1000, 4, 5).spelt((A,)) == ["<a>"]  # a shorter word is one itself


def test_the_number_of_an_ngram_is_its_checksum():
    dictionary = vocabulary.of_symbols(["\u2581123456789"])
    ids = NGrams(dictionary, 1 << 31, 9, 9).of(Words.of([[4]])).ids.tolist()
    assert ids[1] == 0xCBF43926 % (1 << 31)  # the check value of CRC-32


def test_ngrams_that_come_twice_count_twice_and_words_are_one_after_the_other():
    dictionary = vocabulary.of_symbols(["\u2581aaa", "\u2581a"])
    found = NGrams(dictionary, 1 << 20, 2, 2).of(Words.of([[4], [5]]))
    assert found.offsets.tolist() == [0, 4] and len(found.ids) == 6
    assert found.ids[1] == found.ids[2] != found.ids[0] == found.ids[4]


def test_letters_of_a_derived_language_are_others():
    dictionary = vocabulary.double(vocabulary.of_symbols(["\u2581house", "s"]))
    ngrams = NGrams(dictionary, 1000)
    own, derived = (set(ngrams.spelt(word)) for word in ((4, 5), (6, 7)))
    assert len(own) == len(derived) and not own & derived
    assert ngrams.spelt((7,)) == ["<s~>"]


def test_what_is_not_ascii_is_transliterated():
    pytest.importorskip("anyascii", reason="waits for the extra characters: EXTRAS=characters bash install.sh")
    words = ["\u2581berlin", "\u2581бе", "рлин", "\u2581café", "\u2581cafe"]
    ngrams = NGrams(vocabulary.of_symbols(words), 1000)
    assert ngrams.spelt((4,)) == ngrams.spelt((5, 6)) and ngrams.spelt((7,)) == ngrams.spelt((8,))


def test_a_missing_transliteration_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anyascii", None)
    ngrams = NGrams(vocabulary.of_symbols(["\u2581é", "\u2581e"]), 1000)
    assert ngrams.spelt((5,)) == ["<e>"]
    with pytest.raises(InputError, match="anyascii: found .*; run EXTRAS=characters bash install.sh"):
        ngrams.of(Words.of([[4]]))


def test_a_word_is_the_sum_of_two_means_by_hand():
    table = torch.zeros(12, 2)
    table[AB], table[A], table[INNER_B] = (torch.tensor(row) for row in ([1.0, 0.0], [0.0, 2.0], [4.0, 0.0]))
    found = composed(table, Words.of([[AB], [A, INNER_B]]), bigrams())
    # the bigrams <a ab b> have the mean (1, 2); the pieces (1, 0), and (2, 1) in the mean
    assert found.tolist() == [[2, 2], [3, 3]]
    assert composed(table, Words.of([[B]]), bigrams()).tolist() == [[0, 3]]  # <b b>


def test_the_loss_by_hand():
    table = torch.zeros(12, 2)
    table[AB], table[B] = torch.tensor([2.0, 2.0]), torch.tensor([4.0, 0.0])
    # (2, 2) + (1, 2) = (3, 4) and (4, 0) + (0, 3) = (4, 3)
    some = pairs([[AB]], [[B]])
    assert alignment_loss(table, some, characters=bigrams()).item() == pytest.approx(-0.96)
    assert alignment_term(table, Blocks(some, characters=bigrams())).item() == pytest.approx(-0.96)
    assert mean_cosine(table, some, bigrams()).item() == pytest.approx(0.96)
    assert Blocks(some, characters=bigrams()).mean_cosine(table).item() == pytest.approx(0.96)


def test_words_are_retrieved_by_their_characters():
    table = torch.zeros(12, 2)
    table[AB], table[B], table[C] = (torch.tensor(row) for row in ([0.0, 1.0], [0.0, -2.0], [1.0, 1.0]))
    words, some = Words.of([[B], [C]]), pairs([[AB]], [[B]])
    assert precision_at_1(table, some, words).item() == 0
    assert precision_at_1(table, some, words, bigrams()).item() == 1  # (1, 3), and of b (0, 1), of c (1, 1)
    assert torch.allclose(Space.of(table, words, bigrams()).take(torch.arange(2))[0], torch.tensor([0.0, 1.0]))


words = st.lists(
    st.lists(st.sampled_from([AB, B, INNER_B, C, A, NA, TION]), min_size=1, max_size=3), min_size=6, max_size=6
)


def drawn(seed: int, dtype=torch.float32) -> tuple[torch.Tensor, Characters]:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(12, 6, generator=generator, dtype=dtype)
    return table, Characters(NGrams(DICTIONARY, 40), torch.randn(40, 6, generator=generator, dtype=dtype))


@given(source=words, target=words, seed=st.integers(0, 99))
def test_the_loss_equals_the_formula_in_float64(source, target, seed):
    table, characters = drawn(seed)
    rows, ngram_rows = (part.detach().numpy().astype(np.float64) for part in (table, characters.weight))

    def vector(word):
        numbers = characters.ngrams.of(Words.of([word])).ids.numpy()
        return rows[word].mean(0) + ngram_rows[numbers].mean(0)

    cosines = []
    for s, t in zip(source, target, strict=True):
        a, b = vector(s), vector(t)
        cosines.append(a @ b / np.sqrt((a @ a) * (b @ b)))
    found = alignment_loss(table, pairs(source, target), characters=characters)
    assert found.item() == pytest.approx(-np.mean(cosines), rel=1e-5, abs=2e-6)


@pytest.mark.parametrize("kind", LOSSES)
def test_the_gradient_of_both_tables_is_right(kind):
    table, characters = drawn(1, torch.float64)
    some = pairs([[AB], [B, C], [NA, TION]], [[A], [NATION], [C, C]], [1.0, 0.5, 2.0])

    def loss(rows, weight):
        return torch.func.functional_call(_Loss(characters, some, kind), {WEIGHT: weight}, (rows,))

    given_rows = table.requires_grad_(), characters.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, given_rows)


class _Loss(torch.nn.Module):
    """A loss as a function of both tables."""

    def __init__(self, characters: Characters, some: Pairs, kind: str):
        super().__init__()
        self.characters, self.pairs, self.kind = characters, some, kind

    def forward(self, table):
        return alignment_loss(table, self.pairs, LOSSES[self.kind](), self.characters)


@pytest.mark.parametrize("kind", LOSSES)
@given(source=words, target=words, seed=st.integers(0, 99))
def test_the_term_is_the_loss_with_the_gradients_of_both_tables(kind, source, target, seed):
    some = pairs(source, target)
    found = []
    for loss in (
        lambda table, characters: alignment_term(table, Blocks(some, LOSSES[kind](), characters=characters)),
        lambda table, characters: alignment_loss(table, some, LOSSES[kind](), characters),
    ):
        table, characters = drawn(seed, torch.float64)
        table.requires_grad_()
        value = loss(table, characters)
        (3 * value + table.square().sum()).backward()
        found.append((value, table.grad, characters.weight.grad))
    for ours, plain in zip(*found, strict=True):
        assert torch.allclose(ours, plain, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", LOSSES)
@given(source=words, target=words, order=st.permutations(range(6)))
def test_the_loss_ignores_the_order_of_pairs(kind, source, target, order):
    table, characters = drawn(1)
    shuffled = pairs([source[i] for i in order], [target[i] for i in order])
    losses = [alignment_loss(table, some, LOSSES[kind](), characters) for some in (pairs(source, target), shuffled)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5, abs=1e-6)


def test_a_new_table_is_that_of_the_seed_and_leaves_the_random_numbers_of_the_run():
    before = torch.get_rng_state()
    one, same, other = (Characters.new(NGrams(DICTIONARY, 500), 8, seed).weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other) and torch.equal(before, torch.get_rng_state())
    assert one.std().item() == pytest.approx(0.1, rel=0.1)


def test_a_trained_table_is_taken_up_and_another_thing_is_refused():
    embed = Namespace(weight=torch.zeros(12, 6))
    model = Namespace(encoder=Namespace(sentence_encoder=Namespace(embed_tokens=embed)))
    settings = {"align_characters_from": 2, "align_characters_to": 4}
    found = trained({WEIGHT: torch.ones(9, 6)}, settings, DICTIONARY, model)
    assert (found.ngrams.buckets, found.ngrams.shortest, found.ngrams.longest) == (9, 2, 4)
    assert trained(None, {}, DICTIONARY, model) is None and trained({}, settings, DICTIONARY, model) is None
    for state, flags in (
        ({WEIGHT: torch.ones(9, 5)}, settings),
        ({WEIGHT: torch.ones(0, 6)}, settings),
        ({WEIGHT: "table"}, settings),
        ({WEIGHT: torch.ones(9, 6)}, {}),
    ):
        with pytest.raises(InputError, match="no table of character n-grams, expected one of 6 columns"):
            trained(state, flags, DICTIONARY, model)
