"""The embedded data of the quick start is a language: valid trees, agreement, ambiguity, context, Zipf's law."""

import importlib.util
import math
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import conllu
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import processes

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "toy_language.py"

SPLITS = ("train", "valid", "test")

spec = importlib.util.spec_from_file_location("toy_language", SCRIPT)
toy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy)


def run(out, *flags):
    return processes.run([sys.executable, SCRIPT, "--out", out, *flags])


def split_words(text):
    return re.findall(r"\w+|[.,?!]", text)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Folder with 10,000 sentences of text and the default treebank."""
    out = tmp_path_factory.mktemp("toy")
    done = run(out, "--sentences", "10000")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def treebank(corpus):
    """Split -> sentences as the ``conllu`` package reads them."""
    return {split: conllu.parse((corpus / f"{split}.conllu").read_text(encoding="utf-8")) for split in SPLITS}


@pytest.fixture(scope="module")
def tagged():
    """20,000 sentences as lists of (form, tag), drawn with the default vocabulary."""
    rng = toy.random.Random(1)
    drawn = toy.sentences(toy.Language(800, rng), rng)
    return [[(token.form, token.tag) for token in sentence] for sentence in toy.islice(drawn, 20000)]


# --- by hand ---


def test_features_are_filled_in_where_they_are_variables():
    assert toy.variables("NP[n,r]/obl V[f,tr] Adj") == {"n", "r", "f"}
    assert toy.substitute("V[f,tr]", {"f": "s", "n": "sg"}) == "V[s,tr]"


def test_every_symbol_of_the_grammar_leads_to_words():
    language = toy.Language(500, toy.random.Random(1))
    used = {symbol for _, sides in language.rules.values() for side in sides for symbol, _ in side}
    assert used - set(language.rules) - set(language.words) == set()
    assert set(language.rules) | set(language.words) == used | {"S"}
    assert all(sum(not label for _, label in side) == 1 for _, sides in language.rules.values() for side in sides)


def test_open_features_share_the_weight_of_a_production():
    # "Do Subj Core ?" has weight 7; its number is open, singular 3 to plural 2: 4.2 and 2.8.
    sums, sides = toy.compile_grammar()["S"]
    weights = dict(zip((" ".join(symbol for symbol, _ in side) for side in sides), np.diff([0, *sums]), strict=True))
    assert weights["Do[sg] Subj[sg] Core[base] Ask"] == pytest.approx(4.2)
    assert weights["Do[pl] Subj[pl] Core[base] Ask"] == pytest.approx(2.8)


def test_statistics_by_hand():
    # Four words, two of one form: 1/2 ln 2 + 2 * 1/4 ln 4 = 1.5 ln 2 nats. The form "plunk" has two tags and two
    # words, one of which bears the tag that a tagger without context would choose.
    sentence = [
        toy.Token(form, tag, 0, "_")
        for form, tag in [("they", "PRON"), ("plunk", "VERB"), ("plunk", "NOUN"), (".", "PUNCT")]
    ]
    assert toy.statistics([sentence]) == pytest.approx((1.5 * math.log(2), 0.5, 0.75))


def test_running_text_puts_punctuation_at_the_word():
    words = [("oh", "INTJ"), (",", "PUNCT"), ("plunk", "VERB"), ("!", "PUNCT")]
    assert toy.plain([toy.Token(form, tag, 0, "_") for form, tag in words]) == "oh, plunk!"


@given(st.integers(0, 2**32), st.integers(200, 400))
def test_stems_are_different_and_no_function_words(seed, count):
    stems = toy.make_stems(count, toy.random.Random(seed))
    closed = {word for _, words in toy.closed_classes().values() for word in words}
    assert len(set(stems)) == count and not closed & set(stems)
    assert not any(stem.endswith("s") for stem in stems)


# --- the files ---


def test_a_seed_fixes_every_byte(tmp_path):
    flags = ("--sentences", "50", "--treebank", "20", "--seed")
    for name, seed in (("first", "3"), ("again", "3"), ("other", "4")):
        assert run(tmp_path / name, *flags, seed).returncode == 0
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
    assert contents(tmp_path / "first") != contents(tmp_path / "other")


def test_the_treebank_does_not_depend_on_the_amount_of_text(corpus, tmp_path):
    assert run(tmp_path, "--sentences", "5").returncode == 0
    for split in SPLITS:
        assert (tmp_path / f"{split}.conllu").read_bytes() == (corpus / f"{split}.conllu").read_bytes()


def test_nothing_but_the_four_files_is_left_and_counts_are_printed(tmp_path):
    done = run(tmp_path, "--sentences", "30", "--treebank", "20")
    assert set(contents(tmp_path)) == {"text.txt", "train.conllu", "valid.conllu", "test.conllu"}
    assert [line.split(" sentences")[0] for line in done.stdout.split("\n")[:4]] == [
        "train: 16",
        "valid: 2",
        "test: 2",
        "text: 30",
    ]
    text = split_words((tmp_path / "text.txt").read_text(encoding="utf-8"))
    assert f"{len(text):,} words, {len(set(text)):,} types\nwords of the text: unigram entropy" in done.stdout


def test_treebank_files_are_trees_with_tags_of_universal_dependencies(treebank):
    for split, size in (("train", 2400), ("valid", 300), ("test", 300)):
        assert len(treebank[split]) == size
        for sentence in treebank[split]:
            assert [token["id"] for token in sentence] == list(range(1, len(sentence) + 1))
            assert [token["deprel"] for token in sentence if token["head"] == 0] == ["root"]
            assert len(list(descendants(sentence.to_tree()))) == len(sentence)  # to_tree drops what no root governs
            assert all(
                token[column] in (None, "_")
                for token in sentence
                for column in ("lemma", "xpos", "feats", "deps", "misc")
            )
    tags = {token["upos"] for sentence in treebank["train"] for token in sentence}
    assert tags == {
        "ADJ",
        "ADP",
        "ADV",
        "AUX",
        "CCONJ",
        "DET",
        "INTJ",
        "NOUN",
        "NUM",
        "PART",
        "PRON",
        "PROPN",
        "PUNCT",
        "SCONJ",
        "VERB",
    }


def descendants(tree):
    yield tree
    for child in tree.children:
        yield from descendants(child)


def test_no_sentence_occurs_twice_in_any_file(corpus, treebank):
    text = (corpus / "text.txt").read_text(encoding="utf-8").split("\n")
    assert text.pop() == ""
    trees = [" ".join(token["form"] for token in sentence) for split in SPLITS for sentence in treebank[split]]
    everything = [" ".join(split_words(sentence)) for sentence in text] + trees
    assert len(set(everything)) == len(everything) == 13000


def test_the_tokeniser_of_the_data_path_recovers_the_words(corpus):
    tokenizer = pytest.importorskip("sacremoses").MosesTokenizer(lang="en")
    for line in (corpus / "text.txt").read_text(encoding="utf-8").split("\n")[:1000]:
        assert tokenizer.tokenize(line, escape=False) == split_words(line)


@pytest.mark.parametrize("flags", [("--sentences", "0"), ("--treebank", "9"), ("--lexicon-size", "many")])
def test_a_number_that_is_too_small_or_none_is_told(tmp_path, flags):
    done = run(tmp_path, *flags)
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert f"argument {flags[0]}: found '{flags[1]}', expected a whole number of at least" in done.stderr


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "taken").write_text("")
    done = run(tmp_path / "taken")
    assert done.returncode == 2 and "found a file, expected a folder; give another --out" in done.stderr


# --- agreement ---

NUMBER = {word: "sg" for word in "a this that every each he she it one is was has does".split()}
NUMBER |= {word: "pl" for word in "some these those many all few they we you are were have do".split()}
NUMBER |= {word: "pl" for word in "two three four five six seven ten".split()}


def children(sentence):
    """Position of a head -> its dependents, in the order of the sentence."""
    below = defaultdict(list)
    for token in sentence:
        below[token["head"]].append(token)
    return below


def nominal_number(token, below):
    """Number of a noun phrase: "pl" where it is coordinated or its head is a plural."""
    if any(child["deprel"] == "conj" for child in below[token["id"]]):
        return "pl"
    if token["upos"] == "PRON":
        return NUMBER[token["form"]]
    return "pl" if token["upos"] == "NOUN" and token["form"].endswith("s") else "sg"


def finite_number(verb, below):
    """Number that the finite word of a clause shows, None for a past tense or a modal."""
    auxiliaries = [child for child in below[verb["id"]] if child["deprel"] in ("aux", "aux:pass", "cop")]
    finite = auxiliaries[0] if auxiliaries else verb
    if finite["form"] in NUMBER:
        return NUMBER[finite["form"]]
    if finite["upos"] == "AUX" or finite["form"].endswith("ed") or finite["form"] in ("had", "did"):
        return None
    return "sg" if finite["form"].endswith("s") else "pl"


def subject_number(subject, verb, below, sentence):
    """Number of a subject; a relative pronoun has that of the noun before its clause, "who" of a question has one."""
    if verb["deprel"] == "acl:relcl" and below[verb["id"]][0] is subject:
        return "pl" if sentence[verb["head"] - 1]["form"].endswith("s") else "sg"
    return "sg" if subject["form"] in ("who", "what") else nominal_number(subject, below)


def test_subject_and_verb_always_agree(treebank):
    seen = Counter()
    for sentence in (sentence for split in SPLITS for sentence in treebank[split]):
        below = children(sentence)
        for subject in (token for token in sentence if token["deprel"] in ("nsubj", "nsubj:pass")):
            verb = sentence[subject["head"] - 1]
            shown = finite_number(verb, below)
            if shown:
                assert shown == subject_number(subject, verb, below, sentence), sentence.serialize()
                seen[shown, verb["deprel"]] += 1
    assert min(seen[number, relation] for number in ("sg", "pl") for relation in ("root", "acl:relcl")) > 50


def test_determiner_and_numeral_always_agree_with_their_noun(treebank):
    seen = Counter()
    for sentence in (sentence for split in SPLITS for sentence in treebank[split]):
        for token in sentence:
            if token["deprel"] in ("det", "nummod") and token["form"] not in ("the", "no"):
                noun = sentence[token["head"] - 1]["form"]
                assert NUMBER[token["form"]] == ("pl" if noun.endswith("s") else "sg"), sentence.serialize()
                seen[NUMBER[token["form"]]] += 1
    assert min(seen.values()) > 500


# --- is it like a language? ---


def test_frequencies_follow_zipfs_law(tagged):
    # log frequency falls with log rank on a line of slope about -1, as it does in English text
    counts = sorted(Counter(form for sentence in tagged for form, _ in sentence).values(), reverse=True)
    ranks = np.arange(10, 1000)
    slope, _ = np.polyfit(np.log(ranks), np.log(counts[10:1000]), 1)
    assert -1.2 < slope < -0.8


def test_nearly_half_of_the_words_are_ambiguous(tagged):
    _, ambiguous, _ = toy.statistics([[toy.Token(form, tag, 0, "_") for form, tag in sentence] for sentence in tagged])
    assert 0.38 < ambiguous < 0.52


def windows(sentences):
    """For each word the words and word ends from two places before to two after it."""
    for sentence in sentences:
        forms = ["", "", *(token["form"] for token in sentence), "", ""]
        for i in range(len(sentence)):
            yield [part for form in forms[i : i + 5] for part in (form, form[-2:])]


def test_a_tagger_needs_context(treebank):
    linear_model, preprocessing = (pytest.importorskip(f"sklearn.{name}") for name in ("linear_model", "preprocessing"))
    gold = {split: [token["upos"] for sentence in treebank[split] for token in sentence] for split in ("train", "test")}
    seen = defaultdict(Counter)
    for sentence in treebank["train"]:
        for token in sentence:
            seen[token["form"]][token["upos"]] += 1
    guess = {form: tags.most_common(1)[0][0] for form, tags in seen.items()}
    without = [guess.get(token["form"], "NOUN") for sentence in treebank["test"] for token in sentence]

    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    train = encoder.fit_transform(list(windows(treebank["train"])))
    # five epochs of logistic regression by stochastic gradient descent
    model = linear_model.SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=5, tol=None, random_state=0)
    with_context = model.fit(train, gold["train"]).predict(encoder.transform(list(windows(treebank["test"]))))

    assert 0.80 < np.mean(np.array(without) == gold["test"]) < 0.88
    assert np.mean(with_context == gold["test"]) > 0.95


class Backoff:
    """Probability of a word after a context, smoothed towards a coarser model (Witten and Bell 1991)."""

    def __init__(self, sentences, contexts, coarser):
        self.contexts, self.coarser = contexts, coarser
        self.counts = defaultdict(Counter)
        for sentence in sentences:
            for i, (form, _) in enumerate(sentence):
                self.counts[contexts(sentence, i)][form] += 1

    def __call__(self, sentence, i):
        count, coarser = self.counts[self.contexts(sentence, i)], self.coarser(sentence, i)
        return (count[sentence[i][0]] + len(count) * coarser) / (count.total() + len(count)) if count else coarser

    def cross_entropy(self, sentences):
        """Nats a word on other sentences: an upper bound of the entropy of words given their context."""
        return -np.mean([math.log(self(sentence, i)) for sentence in sentences for i in range(len(sentence))])


def test_context_tells_more_than_a_nat_about_a_word(tagged):
    def tag(sentence, i):
        return sentence[i][1] if 0 <= i < len(sentence) else ""

    train, held_out = tagged[:18000], tagged[18000:]
    types = len({form for sentence in train for form, _ in sentence})
    unigram = Backoff(train, lambda sentence, i: "", lambda sentence, i: 1 / types)
    after_tag = Backoff(train, lambda sentence, i: tag(sentence, i - 1), unigram)
    after_word = Backoff(train, lambda sentence, i: sentence[i - 1] if i else "", after_tag)
    between = Backoff(train, lambda sentence, i: (tag(sentence, i - 1), tag(sentence, i + 1)), after_tag)
    entropy = unigram.cross_entropy(held_out)
    assert after_word.cross_entropy(held_out) < entropy - 0.8
    assert between.cross_entropy(held_out) < entropy - 1.4  # an encoder sees both sides


def test_a_topic_joins_the_stems_of_a_sentence(tagged):
    # Nouns and verbs of one sentence choose each other; those of neighbouring, unrelated sentences do not.
    nouns = [{form.removesuffix("s") for form, tag in sentence if tag == "NOUN"} for sentence in tagged]
    verbs = [{re.sub("s$|ed$|ing$", "", form) for form, tag in sentence if tag == "VERB"} for sentence in tagged]
    together = Counter(pair for ns, vs in zip(nouns, verbs, strict=True) for pair in ((n, v) for n in ns for v in vs))
    apart = Counter(pair for ns, vs in zip(nouns[1:], verbs, strict=False) for pair in ((n, v) for n in ns for v in vs))

    def collisions(pairs):
        """Chance that two pairs drawn at random are the same: high where nouns and verbs choose each other."""
        return sum(count * (count - 1) for count in pairs.values()) / (pairs.total() * (pairs.total() - 1))

    assert collisions(together) > 2 * collisions(apart)
