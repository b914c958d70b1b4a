"""Dictionaries of dictd."""

import gzip
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.errors import InputError
from fairseq_align.lexicon import dictd

ENTRIES = [  # headword, entry, its pairs
    ("00-database-info", "FreeDict", []),
    ("abandon", "abandon /əˈbændən/\nabandonner, délaisser\n", [("abandon", "abandonner"), ("abandon", "délaisser")]),
    (
        "house",
        'house /haʊs/ <n, sg>\n1. maison; logis (vieilli)\n   "a big house" - une grande maison\n2. [pol.] chambre\n',
        [("house", "maison"), ("house", "logis"), ("house", "chambre")],
    ),
    ("ice cream", "ice cream\nglace\n", [("ice cream", "glace")]),
    ("see also", "see also <v>\n {look}\n", [("see also", "")]),
]


FREEDICT = [  # what FreeDict's larger dictionaries hold besides
    (
        "garden",
        "garden /ˈɡɑːdən/ <n>\nGarten <masc>, Gartenanlage <fem> [agr.]\n         Note: Anlage, Park\n"
        "   Synonyms: {yard}, {plot}\n\n see: {gardens}, {kitchen garden}\n\n",
        [("garden", "Garten"), ("garden", "Gartenanlage")],
    ),
    ("tree", "tree /tɹˈiː/\nBaum <masc>\n   Synonym: {wood}\n", [("tree", "Baum")]),
    ("yard", "yard /jɑːd/\n   Antonym: {house}\n   Related words: {garden},\n {tree}\n", [("yard", "")]),
    (
        "2",
        "folio /fˈəʊlɪˌəʊ/ (fo /fˈəʊ/, ) (2° /tˈuː/)\n"
        "Folioformat <neut>, Folio <neut> [print] fo,  /fˈəʊ/ 2°,  /tˈuː/\n",
        [("folio", "Folioformat"), ("folio", "Folio")],
    ),
    (
        "set aside",
        "of set-aside / of his/her land /ɒv sˈɛt/\nvon Land\n",
        [("of set-aside / of his/her land", "von Land")],
    ),
    # an abbreviation that is written as one with its translation
    ("annually", "annually /ˈanjuːəli/\njährlichjhrl.,  /dʒˌeɪ/ , alle Jahre\n", [("annually", "alle Jahre")]),
    ("left", "left brace /lˈɛft/ ({)\nlinke Klammer{, Klammer (links (innen))\n", [("left brace", "linke Klammer")]),
    (
        "right",
        "right bracket /ɹˈaɪt/ ())\nKlammer), Smiley :-)\n",
        [("right bracket", "Klammer"), ("right bracket", "Smiley")],
    ),
    ("stop", "stop /stˈɒp/\nHalt: nicht weiter\nsee\n", [("stop", "Halt: nicht weiter"), ("stop", "see")]),
]


def base64(number: int) -> str:
    alphabet = ascii_uppercase + ascii_lowercase + digits + "+/"
    text = alphabet[number % 64]
    while number := number // 64:
        text = alphabet[number % 64] + text
    return text


def write_dictd(folder, name="eng-fra", packed=True, entries=ENTRIES):
    data, index = b"", []
    for headword, entry, _ in entries:
        index.append(f"{headword}\t{base64(len(data))}\t{base64(len(entry.encode()))}")
        data += entry.encode()
    (folder / f"{name}.index").write_text("\n".join(index) + "\n", encoding="utf-8")
    if packed:
        (folder / f"{name}.dict.dz").write_bytes(gzip.compress(data))
    else:
        (folder / f"{name}.dict").write_bytes(data)
    return folder / f"{name}.index"


def pairs(read) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read]


@pytest.mark.parametrize("packed", [True, False])
def test_dictd_by_hand(tmp_path, packed):
    assert pairs(dictd.read(write_dictd(tmp_path, packed=packed))) == sum((found for *_, found in ENTRIES), [])


@pytest.mark.parametrize("entry", FREEDICT, ids=[headword for headword, *_ in FREEDICT])
def test_only_translations_are_read_as_such(tmp_path, entry):
    assert pairs(dictd.read(write_dictd(tmp_path, entries=[entry]))) == entry[2]


@given(st.text("ab1 ,()[]{}<>/:-", max_size=40), st.text("ab1 ,()[]{}<>/:-\n", max_size=60))
def test_no_word_holds_brackets_or_the_label_of_a_remark(headword, senses):
    with TemporaryDirectory() as folder:
        entry = ("word", f"{headword} /x/ <n>\n{senses}\n   Note: nota\n see: {{a}}, {{b}}\n", [])
        for source, target in pairs(dictd.read(write_dictd(Path(folder), entries=[entry]))):
            assert not set("()[]{}") & set(source + target)
            assert "nota" not in target and not target.startswith("see")


@pytest.mark.timeout(60)  # quadratic time would be hours
@pytest.mark.parametrize("unit", ["(", "(]", "()", ")", "a,", "/", " /a", ", /a/", "<", "a"])
def test_a_long_entry_is_read_in_linear_time(tmp_path, unit):
    entry = ("word", f"word\n{unit * 100_000}\n{unit * 100_000} b\n", [])
    assert all(
        source == "word" for source, _ in pairs(dictd.read(write_dictd(tmp_path, packed=False, entries=[entry])))
    )


def test_debians_english_german_dictionary_gives_translations_alone():
    """Its references, synonyms and notes were nearly half of the pairs before; 400,000 entries have a translation."""
    index = Path("/usr/share/dictd/freedict-eng-deu.index")
    if not index.exists():
        pytest.skip("waits for Debian's dict-freedict-eng-deu")
    found = pairs(dictd.read(index))
    remarks = "see:", "Synonym:", "Synonyms:", "Note:"
    assert not [pair for pair in found if pair[1].startswith(remarks) or set("()[]{}") & set("".join(pair))]
    assert sum(bool(target) for _, target in found) > 700_000
    for pair in [
        ("garden", "Garten"),
        ("folio", "Folioformat"),
        ("be able", "können"),
        ("AIDS carrier", "HIV-Infizierter"),
    ]:
        assert pair in set(found)


def test_a_broken_dictd_is_named(tmp_path):
    index = write_dictd(tmp_path)
    for line, message in [("house\tA\tzzzz", "eng-fra.index:1: found"), ("house", ":1: found 'house', expected")]:
        index.write_text(line + "\n")
        with pytest.raises(InputError, match=message):
            list(dictd.read(index))
    (tmp_path / "eng-fra.dict.dz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="dict.dz: .* expected what dictzip compressed"):
        list(dictd.read(index))
    (tmp_path / "eng-fra.dict.dz").unlink()
    with pytest.raises(InputError, match="eng-fra.dict: found no such file nor eng-fra.dict.dz"):
        list(dictd.read(index))


def test_an_installed_freedict_is_read():
    index = Path("/usr/share/dictd/freedict-eng-fra.index")
    if not index.exists():
        pytest.skip("waits for Debian's dict-freedict-eng-fra")
    found = pairs(dictd.read(index))
    assert len(found) > 8000 and ("house", "maison") in found
