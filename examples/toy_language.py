"""A small invented language with gold tags and trees: the embedded data of the quick start.

English function words and endings stand around invented stems, as in Lewis Carroll's "Jabberwocky":

    the  skoks  that  that  plarker  has  zatriruted  were  prirbful  .
    DET  NOUN   PRON  DET   NOUN     AUX  VERB        AUX   ADJ       PUNCT

What makes it like a language, and learnable in two minutes of a small model's training:

- Syntax: subject verb object, determiner adjective noun, prepositions: a reversed sentence has another syntax. Clauses
  coordinate, embed and relativise; there are negation, auxiliaries, passives, questions, orders and exclamations.
- Agreement in number between determiner, noun and verb, also across relative clauses and auxiliaries.
- Stems are Zipfian, the frequent ones short; families share a stem: ``plunk plunks plunked plunking plunker``.
- Tags are no look-up: stems belong to several classes (``the plunk``, ``they plunk``), endings have several meanings
  (``plunks``: plural or third person), and function words are as ambiguous as in English (``that to have before``).
- Words predict words: a sentence has a hidden topic that makes the stems of this topic likelier, and subjects, objects
  and places are different nouns.

Writes text.txt (raw text, one sentence a line, no capital at its start) and {train,valid,test}.conllu
(80, 10 and 10 %). No sentence occurs twice, in one file or in two. The treebank does not depend on ``--sentences``.
"""

import argparse
import math
import os
import random
import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate, islice, product
from pathlib import Path
from typing import NamedTuple

# Variables of the grammar, with the weights of their values where the left side of a production leaves them open.
VARIABLES = {
    "n": {"sg": 3, "pl": 2},  # number
    "m": {"sg": 3, "pl": 2},  # number of a second phrase
    "r": {"who": 2, "what": 3, "where": 1},  # what a noun means: persons, things, places
    "f": {"base": 1, "s": 1, "ed": 1, "ing": 1},  # form of a verb
}
# One production a line: left side, weight, right side. ``X/label`` depends by that UD relation on the one symbol
# without a label, the head of the phrase. Features stand in brackets; a variable has one value throughout a
# production, which is how agreement works.
GRAMMAR = """
S             76  Clause Stop/punct
S              7  Do[n]/aux Subj[n]/nsubj Core[base] Ask/punct
S              3  Modal/aux Subj[n]/nsubj Core[base] Ask/punct
S              3  Wh/advmod Do[n]/aux Subj[n]/nsubj Core[base] Ask/punct
S              2  Who/nsubj VP[sg] Ask/punct
S              4  Intj/discourse Comma/punct Clause Bang/punct
S              4  Core[base] Bang/punct

Clause        38  Subj[n]/nsubj VP[n]
Clause        14  Subj[n]/nsubj VP[n] While/advcl
Clause         7  While/advcl Comma/punct Subj[n]/nsubj VP[n]
Clause        10  PP/obl Comma/punct Subj[n]/nsubj VP[n]
Clause         4  Adv/advmod Comma/punct Subj[n]/nsubj VP[n]
Clause        15  Subj[n]/nsubj VP[n] And/conj
Clause         8  NP[n,what]/nsubj:pass Be[n]/aux:pass V[ed,tr] By/obl:agent
And            1  Comma/punct Cconj/cc Subj[n]/nsubj VP[n]
While          1  Sconj/mark Subj[n]/nsubj VP[n]
That           1  Comp/mark Subj[n]/nsubj VP[n]
By             1  AdpBy/case NP[n,who]

Subj[n]       54  NP[n,who]
Subj[n]       12  NP[n,what]
Subj[n]       22  Pron[n]
Subj[n]        7  Dem[n]
Obj           66  NP[n,what]
Obj           14  NP[n,who]
Obj            9  PronObj
Obj            6  Dem[n]

VP[sg]        34  Core[s]
VP[pl]        34  Core[base]
VP[n]         20  Core[ed]
VP[n]          7  Modal/aux Core[base]
VP[n]          3  Modal/aux Not/advmod Core[base]
VP[n]          5  Do[n]/aux Not/advmod Core[base]
VP[n]          9  Have[n]/aux Core[ed]
VP[n]          8  Be[n]/aux Core[ing]
VP[n]         10  Be[n]/cop Adjs
VP[n]          3  Be[n]/cop PP
VP[n]          3  Be[n]/cop NP[n,r]

Core[f]       28  V[f,tr] Obj/obj
Core[f]       10  V[f,tr] Obj/obj PP/obl
Core[f]        4  Adv/advmod V[f,tr] Obj/obj
Core[f]        6  V[f,in]
Core[f]       18  V[f,in] PP/obl
Core[f]        7  V[f,in] Adv/advmod
Core[f]        5  V[f,in] Place/advmod
Core[f]        4  V[f,di] NP[n,who]/iobj NP[m,what]/obj
Core[f]        4  V[f,di] NP[n,what]/obj To/obl
Core[f]        8  V[f,say] That/ccomp
Core[f]        7  V[f,want] Inf/xcomp
Core[f]       10  Own[f] Obj/obj
Core[f]        5  Act[f] Obj/obj
Inf            1  PartTo/mark Core[base]
To             1  AdpTo/case NP[n,who]

NP[n,r]       56  Det[n]/det Nom[n,r]
NP[n,r]        9  Poss/nmod:poss Nom[n,r]
NP[n,r]        3  Num[n]/nummod Nom[n,r]
NP[pl,r]      14  Nom[pl,r]
NP[sg,who]    14  Name[who]
NP[sg,where]  14  Name[where]
NP[pl,r]       5  Det[m]/det N[m,r] AndNP[r]/conj
AndNP[r]       1  AndOnly/cc Det[n]/det N[n,r]
Nom[n,r]      54  N[n,r]
Nom[n,r]      26  Adjs/amod N[n,r]
Nom[n,r]      11  N[n,r] PP/nmod
Nom[n,r]       8  N[n,r] Rel[n,r]/acl:relcl
Rel[n,r]       3  RelPron[r]/nsubj VP[n]
Rel[n,r]       2  RelPron[r]/obj Subj[m]/nsubj Gap[m]
Gap[sg]        3  V[s,tr]
Gap[pl]        3  V[base,tr]
Gap[n]         2  V[ed,tr]
Gap[n]         1  Have[n]/aux V[ed,tr]
PP             1  Adp/case NP[n,where]
Adjs          12  Adj
Adjs           1  Adv/advmod Adj
Adjs           1  Adj AndAdj/conj
AndAdj         1  Cconj/cc Adj
"""
# Closed classes: symbol, tag, words with their weights (1 where none is given).
WORDS = """
Det[sg]         DET    the:10 a:8 this:2 that:4 every no each
Det[pl]         DET    the:10 some:3 these:2 those:2 many all no few
Dem[sg]         PRON   this:2 that:4 each
Dem[pl]         PRON   these:2 those:2 some:3 many all few
Pron[sg]        PRON   he:4 she:4 it:3
Pron[pl]        PRON   they:5 we:3 you:2
PronObj         PRON   him:2 her:2 it:2 them:3 us you
Poss            PRON   his:2 her:2 its their:2 our your
RelPron[who]    PRON   that:2 who:2
RelPron[what]   PRON   that:3 which
RelPron[where]  PRON   that:3 which
Who             PRON   who:2 what
Wh              ADV    when why where how
Num[sg]         NUM    one
Num[pl]         NUM    two:4 three:3 four:2 five six seven ten
Be[sg]          AUX    is:3 was:2
Be[pl]          AUX    are:3 were:2
Have[sg]        AUX    has:3 had:2
Have[pl]        AUX    have:3 had:2
Do[sg]          AUX    does:3 did:2
Do[pl]          AUX    do:3 did:2
Modal           AUX    will:3 can:2 may must could
Own[base]       VERB   have
Own[s]          VERB   has
Own[ed]         VERB   had
Own[ing]        VERB   having
Act[base]       VERB   do
Act[s]          VERB   does
Act[ed]         VERB   did
Act[ing]        VERB   doing
Not             PART   not
PartTo          PART   to
AdpTo           ADP    to
AdpBy           ADP    by
Adp             ADP    in:5 on:3 to:3 near:2 after:2 before:2 since inside over around for:2 as
Place           ADV    in inside over around near before
Sconj           SCONJ  when:2 after:2 before:2 since as for where if:2 that
Comp            SCONJ  that:5 if
Cconj           CCONJ  and:4 but:2 or
AndOnly         CCONJ  and
Intj            INTJ   oh:2 well no
Comma           PUNCT  ,
Stop            PUNCT  .
Ask             PUNCT  ?
Bang            PUNCT  !
"""
# Open classes: symbols N, V, Adj, Adv and Name. A stem belongs to one class or several, in these proportions:
STEMS = {"N": 20, "V": 10, "Adj": 8, "N V": 32, "N Adj": 12, "V Adj": 5, "N V Adj": 7, "Name": 6}
KINDS = {  # second feature of a class, with proportions: meaning of a noun or name, frame of a verb
    "N": VARIABLES["r"],
    "Name": {"who": 3, "where": 2},
    "V": {"tr": 10, "in": 6, "di": 2, "say": 2, "want": 2},
    "Adj": {"": 1},
}
INFLECTION = {
    "N": {"sg": "{}", "pl": "{}s"},
    "V": {"base": "{}", "s": "{}s", "ed": "{}ed", "ing": "{}ing"},
}
TAGS = {"N": "NOUN", "V": "VERB", "Adj": "ADJ", "Adv": "ADV", "Name": "PROPN"}
DERIVATIONS = [  # class of the stem, affix, class and kind of the derived word, weight relative to the stem
    ("V", "{}er", "N", "who", 0.3),
    ("V", "{}ing", "N", "what", 0.2),
    ("Adj", "{}dom", "N", "what", 0.2),
    ("N", "{}ful", "Adj", "", 0.1),
    ("V", "{}ed", "Adj", "", 0.3),
    ("V", "re{}", "V", "tr", 0.1),
    ("Adj", "{}ly", "Adv", "", 1.0),
    ("Adj", "{}", "Adv", "", 0.7),  # as "fast"
]
ONSETS = "b d g k l m n p r t v z h j w bl br dr fl gl gr kl kr pl pr sk sl sn st tr".split()
VOWELS = "a e i o u a e i o ai ea oo".split()
CODAS = "b d g k l m n p t v lm lt mp nd nt rb rk rn sk st".split()

TOPICS = 8
TOPIC_BOOST = 100  # how much likelier a stem is in a sentence of its own topic
MAX_WORDS = 40  # longer sentences are drawn again


class Token(NamedTuple):
    """A word of a sentence: ``head`` is the 1-based position of its governor, 0 for the root."""

    form: str
    tag: str
    head: int
    relation: str


class Entry(NamedTuple):
    """A lemma of an open class: relative frequency and the topic that boosts it."""

    lemma: str
    weight: float
    topic: int


def closed_classes() -> dict[str, tuple[str, dict[str, float]]]:
    """Symbol -> (tag, weight of each word), from ``WORDS``."""
    classes = {}
    for symbol, tag, *words in (line.split() for line in WORDS.strip().split("\n")):
        weights = (word.partition(":") for word in words)
        classes[symbol] = tag, {word: float(weight or 1) for word, _, weight in weights}
    return classes


def make_stems(count: int, rng: random.Random) -> list[str]:
    """``count`` different stems, those of few syllables first; none is a function word."""
    taken = {word for _, words in closed_classes().values() for word in words}
    stems: list[str] = []
    while len(stems) < count:
        syllables = 1 + (len(stems) > min(count // 8, 1000)) + (rng.random() < len(stems) / count / 2)
        stem = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(syllables)) + rng.choice(CODAS)
        if stem not in taken:
            taken.add(stem)
            stems.append(stem)
    return stems


def open_classes(count: int, rng: random.Random) -> dict[tuple[str, str], list[Entry]]:
    """(class, kind) -> its lemmas: stems of Zipfian weight in the classes of ``STEMS``, and what derives from them."""
    lemmas: dict[tuple[str, str], list[Entry]] = {}
    for rank, stem in enumerate(make_stems(count, rng), start=1):
        topic = rng.randrange(TOPICS)
        for name in pick(STEMS, rng).split():
            # The same stem is commoner as a noun here and as a verb there.
            weight = rng.lognormvariate(0, 0.5) / (rank + 3) ** 1.1
            lemma = stem.capitalize() if name == "Name" else stem
            lemmas.setdefault((name, pick(KINDS[name], rng)), []).append(Entry(lemma, weight, topic))
            for base, affix, derived, kind, share in DERIVATIONS:
                if base == name:
                    lemmas.setdefault((derived, kind), []).append(Entry(affix.format(stem), weight * share, topic))
    return lemmas


def pick(weights: dict[str, float], rng: random.Random) -> str:
    """Key drawn by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


class Language:
    """The grammar with a vocabulary, ready to draw sentences from.

    Attributes:
        rules: symbol -> (running sum of weights, right sides); a right side is a list of (symbol, label or "").
        words: symbol -> (tag, forms, running sums of their weights, one list a topic).
    """

    def __init__(self, stems: int, rng: random.Random):
        self.rules = compile_grammar()
        self.words = {
            symbol: (tag, list(words), [list(accumulate(words.values()))] * TOPICS)
            for symbol, (tag, words) in closed_classes().items()
        }
        for (name, kind), entries in open_classes(stems, rng).items():
            sums = [
                list(accumulate(e.weight * (TOPIC_BOOST if e.topic == topic else 1) for e in entries))
                for topic in range(TOPICS)
            ]
            for form, affix in INFLECTION.get(name, {"": "{}"}).items():
                features = ",".join(feature for feature in (form, kind) if feature)
                symbol = f"{name}[{features}]" if features else name
                self.words[symbol] = (TAGS[name], [affix.format(e.lemma) for e in entries], sums)

    def sentence(self, rng: random.Random) -> list[Token]:
        """One sentence of at most ``MAX_WORDS`` words on a random topic."""
        topic = rng.randrange(TOPICS)
        tokens: list[list] = []

        def expand(symbol: str) -> int:
            """Append the words of a phrase to ``tokens``; return the 1-based position of its head."""
            if symbol in self.words:
                tag, forms, sums = self.words[symbol]
                tokens.append([forms[draw(sums[topic], rng)], tag, 0, "root"])
                return len(tokens)
            sums, sides = self.rules[symbol]
            parts = [(expand(part), label) for part, label in sides[draw(sums, rng)]]
            head = next(position for position, label in parts if not label)
            for position, label in parts:
                if label:
                    tokens[position - 1][2:] = head, label
            return head

        expand("S")
        return [Token(*token) for token in tokens] if len(tokens) <= MAX_WORDS else self.sentence(rng)


def draw(sums: list[float], rng: random.Random) -> int:
    """Index drawn by weight, given the running sums of the weights."""
    return bisect(sums, rng.random() * sums[-1])


def compile_grammar() -> dict[str, tuple[list[float], list[list[tuple[str, str]]]]]:
    """Write out each production of ``GRAMMAR`` for all values of its variables, as ``Language.rules`` has them."""
    expanded: dict[str, list] = {}
    for left, weight, right in (line.split(maxsplit=2) for line in GRAMMAR.split("\n") if line):
        names = sorted(variables(left) | variables(right))
        for values in product(*(VARIABLES[name] for name in names)):
            bound = dict(zip(names, values, strict=True))
            free = [
                VARIABLES[name][bound[name]] / sum(VARIABLES[name].values())
                for name in names
                if name not in variables(left)
            ]
            side = [substitute(part, bound).partition("/") for part in right.split()]
            expanded.setdefault(substitute(left, bound), []).append((float(weight) * math.prod(free), side))
    return {
        left: (
            list(accumulate(weight for weight, _ in sides)),
            [[(symbol, label) for symbol, _, label in side] for _, side in sides],
        )
        for left, sides in expanded.items()
    }


def variables(symbols: str) -> set[str]:
    """Variables among the features of some symbols: ``n`` and ``r`` in ``NP[n,r]/obl``."""
    return {name for features in re.findall(r"\[(.*?)\]", symbols) for name in features.split(",")} & set(VARIABLES)


def substitute(symbols: str, bound: dict[str, str]) -> str:
    """``NP[n,r]`` with the values of ``n`` and ``r`` in place of their names: ``NP[sg,who]``."""
    return re.sub(r"(?<=[\[,])\w+(?=[,\]])", lambda name: bound.get(name[0], name[0]), symbols)


def sentences(language: Language, rng: random.Random) -> Iterator[list[Token]]:
    """Endless sentences, none twice."""
    seen = set()
    while True:
        sentence = language.sentence(rng)
        if (text := plain(sentence)) not in seen:
            seen.add(text)
            yield sentence


def plain(sentence: list[Token]) -> str:
    """Running text: words between spaces, punctuation close to the word before it."""
    return "".join(token.form if token.tag == "PUNCT" else f" {token.form}" for token in sentence).lstrip()


def conllu(name: str, sentence: list[Token]) -> str:
    """One block of CoNLL-U, ended by an empty line; FORM, UPOS, HEAD and DEPREL are filled."""
    rows = [
        f"{number}\t{token.form}\t_\t{token.tag}\t_\t_\t{token.head}\t{token.relation}\t_\t_\n"
        for number, token in enumerate(sentence, start=1)
    ]
    return f"# sent_id = {name}\n{''.join(rows)}\n"


def write(path: Path, blocks: list[str], sentences: list[list[Token]]) -> None:
    """Write a file whole or not at all, and print what it holds."""
    part = path.with_name(path.name + ".part")
    part.write_text("".join(blocks), encoding="utf-8", newline="\n")
    os.replace(part, path)
    forms = [token.form for sentence in sentences for token in sentence]
    print(f"{path.stem}: {len(sentences):,} sentences, {len(forms):,} words, {len(set(forms)):,} types")


def statistics(sentences: list[list[Token]]) -> tuple[float, float, float]:
    """What is there to learn: words are counted with punctuation marks.

    Returns:
        unigram entropy of the words in nats; share of words whose form occurs with several tags; share of
        words that bear the most frequent tag of their form, the bound of a tagger without context.
    """
    tags: dict[str, Counter] = {}
    for sentence in sentences:
        for token in sentence:
            tags.setdefault(token.form, Counter())[token.tag] += 1
    total = sum(count.total() for count in tags.values())
    entropy = -sum(count.total() / total * math.log(count.total() / total) for count in tags.values())
    ambiguous = sum(count.total() for count in tags.values() if len(count) > 1) / total
    return entropy, ambiguous, sum(max(count.values()) for count in tags.values()) / total


def at_least(low: int) -> Callable[[str], int]:
    """Type of a flag that counts something."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at least {low}")
        return int(text)

    return number


def main() -> None:
    parser = argparse.ArgumentParser(description="Write text and a treebank of a small invented language.")
    parser.add_argument("--out", type=Path, required=True, help="folder for text.txt and {train,valid,test}.conllu")
    parser.add_argument("--sentences", type=at_least(1), default=40000, help="sentences of text.txt")
    parser.add_argument("--treebank", type=at_least(10), default=3000, help="sentences of the .conllu files together")
    parser.add_argument("--lexicon-size", type=at_least(500), default=800, help="stems of the open classes")
    parser.add_argument("--seed", type=int, default=1, help="seed of the vocabulary and of the sentences")
    args = parser.parse_args()
    if args.out.exists() and not args.out.is_dir():
        parser.error(f"{args.out}: found a file, expected a folder; give another --out")
    args.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(args.seed)
    language = sentences(Language(args.lexicon_size, rng), rng)
    tenth = args.treebank // 10
    for split, size in (("train", args.treebank - 2 * tenth), ("valid", tenth), ("test", tenth)):
        trees = list(islice(language, size))
        write(args.out / f"{split}.conllu", [conllu(f"{split}-{i}", tree) for i, tree in enumerate(trees, 1)], trees)
    text = list(islice(language, args.sentences))
    write(args.out / "text.txt", [plain(sentence) + "\n" for sentence in text], text)
    entropy, ambiguous, frequent = statistics(text)
    print(
        f"words of the text: unigram entropy {entropy:.2f} nats, {ambiguous:.1%} of an ambiguous form, "
        f"{frequent:.1%} with the most frequent tag of their form"
    )


if __name__ == "__main__":
    main()
