"""Self-learning: what a table makes neighbours, by hand, and a training that goes on with what it has found."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary

from fairseq_align.criterions.self_learning import SelfLearning, kept, lexicons, taken_up
from fairseq_align.data import binarized
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Pairs, Words
from tests.stress import runs

pytestmark = pytest.mark.forks
FLAGS = ["--align-pairs", 8, "--lexicon", "{data}/half.tsv", "--heldout-lexicon", "{data}/rest.tsv"]
FLAGS += ["--self-learn", "a:b", "--self-learn-every", 4, "--save-interval-updates", 5]


def pairs(source, target) -> Pairs:
    return Pairs(Words.of(source), Words.of(target), torch.ones(len(source)))


def tuples(found: Pairs) -> list[tuple]:
    return list(zip(found.source.tuples(), found.target.tuples(), strict=True))


@pytest.fixture
def search(tmp_path) -> SelfLearning:
    """English words 4 to 7 and French ones 8 to 11, of which 7 and 11 stand in both texts."""
    dictionary = Dictionary()
    for number in range(10):
        dictionary.add_symbol(f"\u2581w{number}")
    for lang, words in (("en", [4, 5, 6, 7, 11]), ("fr", [8, 9, 10, 11, 7])):
        with binarized.writer(tmp_path / lang / "train", len(dictionary)) as out:
            out.add(torch.tensor([*words, 2]).numpy(), torch.tensor([len(words) + 1]).numpy())
    return SelfLearning([("en", "fr")], 10, 0.5, 100, dictionary, tmp_path)


def test_mutual_neighbours_that_the_lexicon_lacks_are_found(search):
    table = torch.zeros(12, 6)
    for row, place in ((4, 0), (8, 0), (5, 1), (9, 1), (6, 2), (10, 1), (7, 3), (11, 4)):
        table[row, place] = 1
    table[6, 1] = 0.5  # its nearest are 9 and 10, which have a nearer one
    found = search.find(table, [pairs([[4]], [[8]])])
    assert tuples(found) == [((5,), (9,))] and found.weights.tolist() == [0.5]
    assert tuples(search.find(table, [pairs([[5]], [[9]])])) == [((4,), (8,)), ((6,), (10,))]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_found_is_that_of_all_scores_in_float64_in_any_order_of_the_lexicon(tmp_path, seed):
    """Words of one to three pieces, more than CSLS has neighbours; two stand in both texts, three have translations."""
    rng, dictionary = np.random.default_rng(seed), Dictionary()
    for number in range(40):
        dictionary.add_symbol(f"\u2581w{number}" if number < 30 else f"x{number}")
    drawn = [(4 + number, *rng.integers(34, 44, number % 3).tolist()) for number in range(30)]
    texts = {"en": drawn[:16], "fr": drawn[14:]}
    for lang, words in texts.items():
        pieces = [piece for word in words for piece in word] + [2]
        with binarized.writer(tmp_path / lang / "train", len(dictionary)) as out:
            out.add(np.array(pieces), np.array([len(pieces)]))
    table = torch.randn(44, 4, generator=torch.Generator().manual_seed(seed))
    given = pairs(texts["en"][:3], texts["fr"][5:8])
    search = SelfLearning([("en", "fr")], 10, 0.5, 100, dictionary, tmp_path)
    found = [search.find(table, [some]) for some in (given, given.take(np.array([2, 0, 1])))]

    one, other = texts["en"][3:], [word for word in texts["fr"] if word not in texts["fr"][5:8]]
    units = [np.array([table[list(word)].double().mean(0).numpy() for word in side]) for side in (one, other)]
    units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in units]
    cosines = units[0] @ units[1].T
    near = [np.sort(cosines, axis=1)[:, -10:].mean(1), np.sort(cosines, axis=0)[-10:].mean(0)]
    scores = 2 * cosines - near[0][:, None] - near[1]
    best = scores.argmax(1)
    expected = {(one[row], other[best[row]]) for row in range(len(one)) if scores[:, best[row]].argmax() == row}
    expected = {pair for pair in expected if pair[0] != pair[1]}
    assert set(tuples(found[0])) == expected and len(found[0]) == len(expected) > 2
    assert tuples(found[1]) == tuples(found[0])


def test_precision_is_that_of_words_that_are_held_out(search):
    heldout = [pairs([[4], [4], [5]], [[8], [9], [10]])]
    assert search.precision(pairs([[4], [5], [6]], [[9], [8], [8]]), heldout) == (1, 2)


def test_a_word_has_a_translation_in_each_language(search):
    """In Hindi, of whose words 12 and 13 the lexicon has one, English words lack what they have in French."""
    with binarized.writer(search.data / "hi" / "train", len(search.dictionary)) as out:
        out.add(np.array([12, 13, 2]), np.array([3]))
    both = replace(search, langs=[("en", "fr"), ("en", "hi")])
    table = torch.zeros(14, 6)
    for place, words in enumerate(((4, 8, 12), (5, 9, 13), (6, 10))):
        table[list(words), place] = 1
    french, hindi = pairs([[4], [5], [6]], [[8], [9], [10]]), pairs([[5]], [[13]])
    assert ((4,), (12,)) in tuples(both.find(table, [french, hindi]))
    numbered = [replace(part, lexicons=torch.full((len(part),), number)) for number, part in enumerate((french, hindi))]
    assert both.find(table, numbered).lexicons.tolist() == [1] * len(both.find(table, [french, hindi]))
    found, nothing = pairs([[4], [5], [6]], [[12], [13], [10]]), pairs([], [])
    assert both.precision(found, [pairs([[4], [5]], [[8], [9]]), nothing]) == (0, 0)
    assert both.precision(found, [pairs([[4], [6]], [[8], [10]]), pairs([[4], [5]], [[12], [12]])]) == (2, 3)


def test_what_is_kept_is_taken_up():
    words, lexicons = (Words.of([[4], [5, 6]]), Words.of([[7, 8], [9]])), torch.tensor([1, 0])
    before = Pairs(*words, torch.tensor([0.5, 0.5]), lexicons=lexicons)
    after = taken_up(kept(7, before))
    assert tuples(after) == tuples(before)
    assert after.weights.tolist() == [0.5, 0.5] and after.lexicons.tolist() == [1, 0]


def test_languages_that_are_none_are_refused():
    with pytest.raises(InputError, match="--self-learn: found 'en', expected two languages, e.g. en:fr"):
        lexicons("en")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.write_data(tmp_path_factory.mktemp("tiny") / "data")


def test_a_run_learns_and_logs_and_goes_on_to_the_bit(data, tmp_path):
    cfg = runs.settings(data, *(str(flag).format(data=data) for flag in FLAGS))
    assert runs.finish(cfg, tmp_path / "whole", 12) == 0, runs.log_of(tmp_path / "whole").read_text()
    log = runs.log_of(tmp_path / "whole").read_text()
    updates = re.findall(
        r"update (\d+): \d+ pairs join the 30 of the lexicon; of \d+ whose first word is held out", log
    )
    assert updates == ["4", "8"]
    records = [json.loads(line) for line in re.findall(r"train_inner[ |:]+(\{.*\})", log)]
    assert not records[3].get("learnt_pairs") and float(records[4]["learnt_pairs"]) > 0
    assert 0 <= float(records[4]["learnt_precision"]) <= 1
    save = tmp_path / "resumed"
    save.mkdir()
    (found,) = (tmp_path / "whole").glob("checkpoint_*_5.pt")
    shutil.copy(found, save / "checkpoint_last.pt")
    assert runs.finish(cfg, save, 12) == 0
    assert min(runs.losses(save)) == 6 and all(
        value == runs.losses(tmp_path / "whole")[key] for key, value in runs.losses(save).items()
    )
    assert runs.same(*(runs.state(folder / "checkpoint_last.pt") for folder in (save, tmp_path / "whole")))


def test_all_pairs_at_once_are_refused(data, tmp_path):
    cfg = runs.settings(data, "--self-learn", "a:b", "--align-pairs", 0)
    assert runs.finish(cfg, tmp_path / "run", 2) == 1
    assert "found --self-learn without --align-pairs" in runs.log_of(tmp_path / "run").read_text().splitlines()[-1]


def test_of_several_lexicons_each_pair_of_languages_names_its_own(data, tmp_path):
    both = ["--align-pairs", 8, "--lexicon", f"{data}/half.tsv:{data}/rest.tsv", "--self-learn-every", 2]
    for value in ("a:b", f"a:b:{data}/lexicon.tsv"):
        assert runs.finish(runs.settings(data, *both, "--self-learn", value), tmp_path / "run", 2) == 1
        expected = (
            f"found --self-learn {value}, expected its lexicon behind it, one of {data}/half.tsv, {data}/rest.tsv"
        )
        assert expected in runs.log_of(tmp_path / "run").read_text().splitlines()[-1]
    found = []
    for number, names in enumerate((["half"], ["half", "rest"])):
        value = ",".join(f"a:b:{data}/{name}.tsv" for name in names)
        save = tmp_path / str(number)
        assert runs.finish(runs.settings(data, *both, "--self-learn", value), save, 4) == 0
        found += re.findall(r"(\d+) pairs join the 60", runs.log_of(save).read_text())
    assert int(found[0]) > 0 and set(found[1:]) == {"0"}  # all words of the two texts are in the two files


def test_a_run_goes_on_with_a_lexicon_in_another_place(data, tmp_path):
    moved = tmp_path / "moved.tsv"
    shutil.copy(data / "half.tsv", moved)
    for path, updates in ((data / "half.tsv", 2), (moved, 4)):
        cfg = runs.settings(data, "--align-pairs", 8, "--lexicon", path, "--self-learn", f"a:b:{path}")
        assert runs.finish(cfg, tmp_path / "run", updates) == 0, runs.log_of(tmp_path / "run").read_text()
    cfg = runs.settings(data, "--align-pairs", 8, "--lexicon", moved, "--self-learn", "a:b")
    assert runs.finish(cfg, tmp_path / "run", 6) == 1
    assert "--self-learn a:b:" in runs.log_of(tmp_path / "run").read_text().splitlines()[-1]
