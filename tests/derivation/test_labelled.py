"""Named entities and sentence pairs in another word order, by the trees of their sentences."""

from itertools import islice, pairwise

import numpy as np
import pytest

from fairseq_align.data import binarized
from fairseq_align.derivation import corpus, labelled, syntax
from fairseq_align.downstream import conllu, iob2, nli, tagging
from fairseq_align.errors import InputError
from fairseq_align.text import subword, vocabulary
from fairseq_align.text.encoder import TextEncoder, WordEncoder
from tests.derivation.test_syntax import learn, random_orders
from tests.support.trees import ENGLISH, HEAD_FINAL, write

SENTENCES = 300


def iob2_of(sentences) -> str:
    return "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)


def test_words_take_their_tags_along(tmp_path):
    """``She reads old books in the library .``, in an order that puts heads last."""
    tags = "O O B-ORG I-ORG I-ORG I-ORG I-ORG O".split()
    entities = write(
        tmp_path / "a.iob2", iob2_of([[*zip("She reads old books in the library .".split(), tags, strict=True)]] * 2)
    )
    trees = write(tmp_path / "a.conllu.gz", ENGLISH * 2)
    orders = learn(tmp_path, HEAD_FINAL)
    assert [*labelled.lines([entities], "ner", "en")] == ["She reads old books in the library ."] * 2
    assert labelled.reorder([entities], tmp_path / "out", "ner", labelled.Trees(trees, orders, None)) == 2
    words, found = next(iob2.read(tmp_path / "out", tagging.ENTITY_TYPES))
    assert words == "She the library in old books reads .".split()
    assert found == "O B-ORG I-ORG I-ORG I-ORG I-ORG O O".split()
    pairs = "premise\thypothesis\tlabel\nShe reads old books in the library.\t\tneutral\n"
    given = write(tmp_path / "a.tsv", pairs + "!\tShe reads old books in the library .\tentailment\n")
    mark = "1\t!\t!\tPUNCT\t_\t_\t0\troot\t_\t_\n\n"
    trees = write(tmp_path / "b.conllu", ENGLISH + mark + ENGLISH)
    assert [*labelled.lines([given], "xnli", "en")] == ["She reads old books in the library .", "!"] + [
        "She reads old books in the library ."
    ]
    labelled.reorder([given], tmp_path / "out", "xnli", labelled.Trees(trees, orders, None))
    moved = "She the library in old books reads ."
    assert (tmp_path / "out").read_text() == (
        f"premise\thypothesis\tlabel\n{moved}\t\tneutral\n!\t{moved}\tentailment\n"
    )


def test_trees_of_another_text_are_refused(tmp_path):
    entities = write(tmp_path / "a.iob2", "She\tO\nruns\tO\n")
    trees = write(tmp_path / "a.conllu", ENGLISH)
    with pytest.raises(
        InputError, match="a.conllu: found the words 'She reads .*, expected a tree of sentence 1 of .*a.i"
    ):
        labelled.reorder([entities], tmp_path / "out", "ner", labelled.Trees(trees, {}, 1))
    entities = write(
        tmp_path / "a.iob2", iob2_of([[(word, "O") for word in "She reads old books in the library .".split()]])
    )
    with pytest.raises(InputError, match="found more trees than sentences, expected one for each"):
        more = write(tmp_path / "b.conllu", ENGLISH * 2)
        labelled.reorder([entities], tmp_path / "out", "ner", labelled.Trees(more, {}, 1))
    with pytest.raises(InputError, match="found no more trees, expected a tree of sentence 1 of"):
        labelled.reorder([entities, entities], tmp_path / "out", "ner", labelled.Trees(trees, {}, 1))
    assert not (tmp_path / "out").exists()


def test_words_that_no_parser_reads_keep_their_place(tmp_path):
    """Spaces inside of a word, and a word of which the normaliser leaves nothing."""
    entities = write(tmp_path / "a.iob2", "New York\tB-LOC\n\u200b\tO\nruns\tO\n")
    (line,) = labelled.lines([entities], "ner", "en")
    assert len(line.split()) == 3 and line.startswith("New_York ")
    rows = [(1, "nsubj", 3), (2, "obj", 3), (3, "root", 0)]
    tree = "".join(
        f"{i}\t{w}\t_\tNOUN\t_\t_\t{h}\t{r}\t_\t_\n" for (i, r, h), w in zip(rows, line.split(), strict=True)
    )
    trees = write(tmp_path / "a.conllu", tree + "\n")
    ((words, tags),) = labelled.entities(entities, labelled.Trees(trees, {}, 1))
    assert words[0] == "New York" and tags == ["B-LOC", "O", "O"]


def test_labelled_data_equal_the_text_level_on_real_sentences(data_dir, tmp_path):
    """Text -> its order -> pieces -> ids -> another script, one step after the other, beside what the data became.

    UD English: its sentences as text, as an IOB2 file and as pairs of one sentence and the next.
    """
    trees = list(islice(conllu.read(data_dir / "ud" / "en_ewt-ud-dev.conllu.gz"), SENTENCES))
    orders = random_orders(3)
    for sentence in trees:  # the tree's own columns carry the numbers of the words into their new order
        for token in sentence:
            token["misc"] = {"N": str(token["id"])}
    afters = [after for _, after, _ in syntax.apply(trees, orders, 1)]
    text, new = ([syntax.words(sentence) for sentence in side] for side in (trees, afters))
    assert sum(a != b for a, b in zip(text, new, strict=True)) > SENTENCES / 2
    words = [[token for token in sentence if isinstance(token["id"], int)] for sentence in trees]
    write(tmp_path / "trees.conllu.gz", "".join(sentence.serialize() for sentence in trees))

    # --- what is to be: the text level
    (tmp_path / "text").write_text("\n".join(text) + "\n", encoding="utf-8")
    subword.train([tmp_path / "text"], tmp_path / "spm", vocab_size=400)
    processor, dictionary = subword.load(tmp_path / "spm" / "spm.model"), vocabulary.load(tmp_path / "spm" / "dict.txt")
    encode = WordEncoder(processor)

    def write_text(prefix, lines):
        with binarized.writer(prefix, len(dictionary)) as out:
            for line in lines:
                ids = [dictionary.index(piece) for word in encode(line.split()) for piece in word] + [dictionary.eos()]
                out.add(np.array(ids), np.array([len(ids)]))

    def derived(data, like=None):
        how = {"like": like} if like else {"transforms": ["transliterate"]}
        corpus.derive(data / "en-syntax", data / "en-syntax+transliterate", **how)

    texts, ner, xnli = (tmp_path / name for name in ("data-bin", "ner-bin", "xnli-bin"))
    write_text(texts / "en-syntax" / "test", new)
    vocabulary.save(dictionary, texts / "dict.txt")
    derived(texts)
    record = texts / "en-syntax+transliterate" / "derivation.json"
    expected = binarized.read(texts / "en-syntax+transliterate" / "test")
    items = np.split(expected.tokens, expected.offsets[1:-1])

    # --- named entities: proper nouns, persons or places
    tags = []
    for sentence in words:
        tags.append([])
        for number, token in enumerate(sentence):
            name = token["upos"] == "PROPN" and ("PER" if len(token["form"]) % 2 else "LOC")
            inside = name and number and tags[-1][-1].endswith(name)
            tags[-1].append(f"{'I' if inside else 'B'}-{name}" if name else "O")
    forms = [[token["form"] for token in sentence] for sentence in words]
    given = write(tmp_path / "a.iob2", iob2_of(map(zip, forms, tags)))
    assert [*labelled.lines([given], "ner", "en")] == text
    labelled.reorder([given], tmp_path / "b.iob2", "ner", labelled.Trees(tmp_path / "trees.conllu.gz", orders, 1))
    label_dictionary = tagging.label_dictionary("ner")
    vocabulary.install(dictionary, ner / "dict.txt", "")
    vocabulary.install(label_dictionary, ner / "label" / "dict.txt", "")
    sentences = tagging.tagged_sentences(tmp_path / "b.iob2", "ner")
    tagging.binarize(sentences, ner / "en-syntax" / "test", processor, dictionary, label_dictionary)
    derived(ner, record)
    found, labels = binarized.read_labelled(ner / "en-syntax+transliterate" / "test")
    assert np.array_equal(found.tokens, expected.tokens) and np.array_equal(found.sizes, expected.sizes)
    for after, old, ids in zip(afters, tags, np.split(labels.tokens, labels.offsets[1:-1]), strict=True):
        order = [int(token["misc"]["N"]) - 1 for token in after if isinstance(token["id"], int)]
        kinds = [label_dictionary[label].removeprefix("B-").removeprefix("I-") for label in ids if label > 3]
        assert kinds == [old[word].removeprefix("B-").removeprefix("I-") for word in order]

    # --- pairs, whose words are those of the text already
    pairs = [*pairwise(range(SENTENCES))]
    rows = [f"{text[a]}\t{text[b]}\t{nli.LABELS[a % 3]}\n" for a, b in pairs]
    given = write(tmp_path / "a.tsv", "premise\thypothesis\tlabel\n" + "".join(rows))
    assert [*labelled.lines([given], "xnli", "en", True)] == [text[number] for pair in pairs for number in pair]
    write(tmp_path / "pairs.conllu", "".join(trees[number].serialize() for pair in pairs for number in pair))
    parsed = labelled.Trees(tmp_path / "pairs.conllu", orders, 1)
    labelled.reorder([given], tmp_path / "b.tsv", "xnli", parsed, tokenized=True)
    encoder = TextEncoder(processor, dictionary, "en-syntax", tokenized=True)
    vocabulary.install(dictionary, xnli / "input0" / "dict.txt", "")
    vocabulary.install(vocabulary.of_symbols(nli.LABELS), xnli / "label" / "dict.txt", "")
    read = nli.read(tmp_path / "b.tsv", "en-syntax", {})
    nli.binarize(read, xnli, "test_en-syntax", encoder, vocabulary.of_symbols(nli.LABELS), 4096)
    derived(xnli, record)
    for side in (0, 1):
        found = binarized.read(xnli / f"input{side}" / "test_en-syntax+transliterate")
        wanted = np.concatenate([items[pair[side]] for pair in pairs])
        assert np.array_equal(found.tokens, wanted)
