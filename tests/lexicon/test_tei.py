"""Dictionaries in TEI."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.errors import InputError
from fairseq_align.lexicon import formats, tei
from tests.lexicon.test_dictd import pairs, write_dictd

TEI = """<?xml version="1.0" encoding="UTF-8"?>
<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body>
<entry><form><orth>house</orth><pron>haʊs</pron></form><gramGrp><pos>n</pos></gramGrp>
 <sense n="1"><cit type="trans"><quote>maison</quote></cit><cit type="trans"><quote>grand
   logis</quote></cit>
   <cit type="example"><quote>a big house</quote><cit type="trans"><quote>x</quote></cit></cit></sense>
 <sense n="2"><usg>pol.</usg><cit type="translation"><quote>chambre</quote></cit></sense></entry>
<entry><form><orth>colour</orth><orth>color</orth></form>
 <sense><cit type="trans"><quote>couleur</quote></cit></sense></entry>
<entry><form><orth>lone</orth></form><sense><note>nothing</note></sense></entry>
</body></text></TEI>
"""


def test_tei_by_hand(tmp_path):
    (tmp_path / "eng-fra.tei").write_text(TEI, encoding="utf-8")
    expected = [("house", "maison"), ("house", "grand logis"), ("house", "chambre")]
    expected += [("colour", "couleur"), ("color", "couleur"), ("lone", "")]
    assert pairs(tei.read(tmp_path / "eng-fra.tei")) == expected
    (tmp_path / "eng-fra.tei.gz").write_bytes(gzip.compress(TEI.encode()))
    assert pairs(tei.read(tmp_path / "eng-fra.tei.gz")) == expected
    (tmp_path / "eng-fra.tei").write_text(TEI.replace("</entry>", "", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"eng-fra.tei:\d+: found mismatched tag.*, expected well-formed TEI"):
        list(tei.read(tmp_path / "eng-fra.tei"))


def entries(tmp_path, body: str, languages=None) -> list[tuple[str, str]]:
    """Pairs of a dictionary with this body."""
    path = tmp_path / "a.tei"
    path.write_text(
        f'<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body>{body}</body></text></TEI>', encoding="utf-8"
    )
    return pairs(tei.read(path, languages))


def entry(word: str, content: str) -> str:
    return f"<entry><form><orth>{word}</orth></form>{content}</entry>"


def test_entries_inside_an_entry_have_their_own_translations(tmp_path):
    """Compounds in ``<re>``, related entries of TEI Lex-0 inside a sense, and one inside the other."""
    body = """<entry><form><orth>water</orth></form><sense><cit type="trans"><quote>eau</quote></cit></sense>
      <re type="compound"><form><orth>waterfall</orth></form><cit type="trans"><quote>cascade</quote></cit>
       <re><form><orth>waterfalls</orth></form><cit type="trans"><quote>cascades</quote></cit></re></re></entry>
     <entry><form><orth>fire</orth></form><sense><cit type="trans"><quote>feu</quote></cit>
      <entry type="relatedEntry"><form type="lemma"><orth>firefly</orth></form>
       <sense><cit type="trans"><quote>luciole</quote></cit></sense></entry></sense></entry>
     <superEntry><entryFree><form><orth>earth</orth></form>
      <cit type="trans"><quote>terre</quote></cit></entryFree></superEntry>"""
    assert entries(tmp_path, body) == [
        ("water", "eau"), ("waterfall", "cascade"), ("waterfalls", "cascades"), ("fire", "feu"), ("firefly", "luciole"),
        ("earth", "terre"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "translations"),
    [
        ('<sense><cit><quote type="trans">maison</quote></cit></sense>', ["maison"]),  # mkd-bul, oci-cat, spa-ast
        ('<sense><quote type="trans">maison</quote></sense>', ["maison"]),
        ("<sense><def>maison</def></sense><sense><def>logis, demeure</def></sense>", ["maison", "logis", "demeure"]),
        ('<sense><def>a building</def><cit type="trans"><quote>maison</quote></cit></sense>', ["maison"]),
        ("<trans>f. <tr>maison</tr> (rare)<tr>logis</tr></trans>", ["maison", "logis"]),  # P4, san-deu
        ("<hom><trans><tr>maison</tr></trans></hom>", ["maison"]),
        ('<sense><cit type="translationEquivalent" xml:lang="fr"><quote>maison</quote></cit></sense>', ["maison"]),
        (
            '<sense><cit type="translation"><form type="lemma"><orth>maison</orth></form>'
            '<form type="inflected"><orth>maisons</orth></form></cit></sense>',
            ["maison"],
        ),
        ('<sense><sense><sense><cit type="trans"><quote>maison</quote></cit></sense></sense></sense>', ["maison"]),
        # lists, notes in brackets, notes in elements, white space
        ('<cit type="trans"><quote>maison, logis (vieilli, rare); [p] abri</quote></cit>', ["maison", "logis", "abri"]),
        ('<cit type="trans"><quote>la <hi>mai</hi>son<note>rare</note> <gen>f</gen></quote></cit>', ["la maison"]),
        ('<cit type="trans"><quote>fou ,</quote></cit>', ["fou"]),
        # nothing of it is a translation
        ('<cit type="example"><quote>a</quote><cit type="trans"><quote>une maison</quote></cit></cit>', [""]),
        ('<sense><cit type="dicteg"><quote type="trans">une maison</quote></cit></sense>', [""]),
        ('<etym><cit type="etymon"><form><orth>hus</orth></form></cit></etym><note><def>x</def></note>', [""]),
        ('<xr type="syn"><ref>home</ref></xr><sense><cit type="trans"><quote/></cit></sense>', [""]),
    ],
)  # fmt: skip
def test_every_way_to_write_a_translation(tmp_path, content, translations):
    assert entries(tmp_path, entry("house", content)) == [("house", word) for word in translations]


@pytest.mark.parametrize(
    ("forms", "words"),
    [
        ("<form><orth>baje (peit por)</orth></form>", ["baje"]),
        ("<form><orth>(x)</orth></form>", ["(x)"]),
        ("<form type='lemma'><orth>horse</orth></form><form type='inflected'><orth>horses</orth></form>", ["horse"]),
        ("<form type='lemma'><orth>horse</orth></form><form><orth extent='suffix'>s</orth></form>", ["horse"]),
        ("<form><orth>bët</orth><form type='infl'><orth>gët</orth></form></form>", ["bët"]),
        ("<form type='lemma'><orth>tap</orth></form><form type='variant'><orth>tep</orth></form>", ["tap", "tep"]),
        ("<form><orth/></form>", []),
    ],
)  # fmt: skip
def test_headwords(tmp_path, forms, words):
    content = "<sense><cit type='trans'><quote>x</quote></cit></sense>"
    assert entries(tmp_path, f"<entry>{forms}{content}</entry>") == [(word, "x") for word in words]


MANY = """<entry xml:lang="en"><form><orth>house</orth></form><sense>
 <cit type="translationEquivalent" xml:lang="fr"><quote>maison</quote></cit>
 <cit type="translationEquivalent" xml:lang="de-AT"><quote>Haus</quote></cit>
 <cit type="translationEquivalent"><quote xml:lang="fr">logis</quote></cit></sense></entry>
<entry xml:lang="en"><form><orth>cat</orth></form><sense><cit type="trans" xml:lang="ger"><quote>Katze</quote></cit>
 <cit type="trans" xml:lang="en"><quote>tomcat</quote></cit></sense></entry>
"""


def test_the_languages_choose_translations(tmp_path, caplog):
    """Codes of two letters, of three, old ones and those with a country are of one language."""
    french = [("house", "maison"), ("house", "logis"), ("cat", "")]
    assert entries(tmp_path, MANY, ("eng", "fra")) == entries(tmp_path, MANY, ("en", "fr")) == french
    assert entries(tmp_path, MANY, ("eng", "deu")) == [("house", "Haus"), ("cat", "Katze")]
    assert entries(tmp_path, MANY, ("fra", "eng")) == [("maison", "house"), ("logis", "house"), ("cat", "")]
    assert entries(tmp_path, MANY, ("en-GB", "fr-CA")) == french  # the file says neither
    assert entries(tmp_path, MANY, ("ita", "fra")) == [("house", ""), ("cat", "")]
    with pytest.raises(InputError, match=r"a.tei:4: found translations into fr and de-AT, expected one language; name"):
        entries(tmp_path, MANY)
    assert not caplog.records


def test_a_definition_in_the_language_of_the_headword_is_none(tmp_path):
    body = (
        '<entry xml:lang="en"><form><orth>house</orth></form><sense><def xml:lang="en">a building</def></sense></entry>'
    )
    assert entries(tmp_path, body) == entries(tmp_path, body, ("eng", "fra")) == [("house", "")]


def test_languages_without_effect_are_said(tmp_path, caplog):
    """A file that names no languages is read as it is, whichever are asked for, and the log says so."""
    body = entry("house", '<cit type="trans"><quote>maison</quote></cit>')
    assert entries(tmp_path, body, ("eng", "fra")) == [("house", "maison")]
    (tmp_path / "a.txt").write_text("house maison\n")
    assert pairs(formats.read(tmp_path / "a.txt", ("eng", "fra"))) == [("house", "maison")]
    index = write_dictd(tmp_path)
    assert pairs(formats.read(index, ("eng", "fra")))
    names = [
        f"{path}: names no languages; --languages eng:fra has no effect on it"
        for path in ("a.tei", "a.txt", index.name)
    ]
    assert [record.getMessage().removeprefix(f"{tmp_path}/") for record in caplog.records] == names
    caplog.clear()
    pairs(formats.read(tmp_path / "a.txt"))
    (tmp_path / "b.txt").write_text("eng-000\thouse\tfra-000\tmaison\n")
    assert pairs(formats.read(tmp_path / "b.txt", ("en", "fr"))) == [("house", "maison")]
    assert not caplog.records


def test_a_dictionary_in_several_files(tmp_path):
    """As eng-pol: a file that includes one for each letter."""
    (tmp_path / "letters").mkdir()
    for letter in "ab":
        content = entry(letter, f'<cit type="trans"><quote>{letter}{letter}</quote></cit>')
        (tmp_path / "letters" / f"{letter}.xml").write_text(f"<div>{content}</div>")
    parts = [f'<include href="letters/{letter}.xml" xmlns="http://www.w3.org/2001/XInclude"/>' for letter in "ab"]
    assert entries(tmp_path, "".join(parts)) == [("a", "aa"), ("b", "bb")]
    for name, message in [
        ("letters/c.xml", "letters/c.xml: found No such file or directory, expected a dictionary in TEI"),
        ("a.tei", r"a.tei: found \S*/a.tei again, expected other files inside; take it out"),
        ("../c.xml", r"a.tei:1: found a part in another place, \.\./c.xml, expected a dictionary in TEI; write it out"),
        ("/etc/passwd", "a.tei:1: found a part in another place, /etc/passwd, expected"),
        ("http://host/c.xml", "a.tei:1: found a part in another place, http://host/c.xml, expected"),
        ("", "a.tei:1: found a part in another place, without a name, expected"),
    ]:
        with pytest.raises(InputError, match=message):
            entries(tmp_path, parts[0].replace("letters/a.xml", name))


def test_a_missing_or_broken_file_is_named_once(tmp_path):
    with pytest.raises(InputError) as error:
        list(tei.read(tmp_path / "no.tei"))
    assert str(error.value) == (
        f"{tmp_path}/no.tei: found No such file or directory, expected a dictionary in TEI; check the path and the file"
    )
    (tmp_path / "a.tei.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="a.tei.gz: found Not a gzipped file .*, expected a dictionary in TEI"):
        list(tei.read(tmp_path / "a.tei.gz"))


@given(st.lists(st.sampled_from(["<re>", "<sense>", "<entry>", "<cit>", "<def>"]), max_size=12))
def test_no_translation_goes_to_another_headword(tree):
    """Any nesting: words and translations are numbered alike, so each pair shows whether it belongs together."""
    body, closing = '<entry><form><orth>w0</orth></form><cit type="trans"><quote>t0</quote></cit>', ["</entry>"]
    entries_open = [0]
    for number, tag in enumerate(tree, 1):
        body += tag
        closing.append(tag.replace("<", "</"))
        if tag in ("<re>", "<entry>"):
            entries_open.append(number)
            body += f"<form><orth>w{number}</orth></form>"
        body += f'<cit type="trans"><quote>t{entries_open[-1]}</quote></cit>'
    with TemporaryDirectory() as folder:
        for word, translation in entries(Path(folder), body + "".join(closing[::-1])):
            assert translation in ("", word.replace("w", "t"))


def test_files_that_include_others_again_and_again_are_refused(tmp_path):
    """Four files, each with the next one twenty times: 20^3 readings of the last one."""
    part = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{}.tei"/>'
    for number in range(4):
        inside = part.format(number + 1) * 20 if number < 3 else ""
        (tmp_path / f"{number}.tei").write_text(f"<TEI>{inside}</TEI>")
    with pytest.raises(InputError, match=r"\d.tei: found more than 1,000 files of one dictionary"):
        list(tei.read(tmp_path / "0.tei"))


def published(folder: Path, name: str, body: str, header: str = "") -> Path:
    """A dictionary with the header of a published one, which names languages and holds what looks like entries."""
    path = folder / name
    path.write_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/css" href="freedict-dictionary.css"?>
<!DOCTYPE TEI SYSTEM "freedict-P5.dtd">
<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader xml:lang="en"><fileDesc><titleStmt><title>A dictionary</title>
 <respStmt><resp>Maintainer</resp><name>nobody</name></respStmt></titleStmt><extent>5 headwords</extent>
 <publicationStmt><availability><p>An <gi>entry</gi> has a <gi>form</gi>.</p></availability></publicationStmt>
 </fileDesc>{header}</teiHeader><text>{body}</text></TEI>""",
        encoding="utf-8",
    )
    return path


def test_a_dictionary_made_from_wiktionary(tmp_path, caplog):
    """As FreeDict's newer ones: the language of the headwords stands at the body, definitions are in that language."""
    body = """<body xml:lang="nl">
     <entry><form><orth>kat</orth><pron>/kɑt/</pron></form><gramGrp><pos>n</pos><gen>com</gen></gramGrp>
      <sense><cit type="trans" xml:lang="fr"><quote>chat</quote><quote>chatte</quote></cit>
       <sense n="1"><def>(roofdieren) een zoogdier</def></sense></sense>
      <sense><cit type="trans" xml:lang="fr"><quote>chatte</quote></cit></sense></entry>
     <entry><form><orth>lopen</orth></form><sense><cit type="trans" xml:lang="fr"><quote/></cit>
      <sense><def>te voet gaan</def></sense></sense></entry>
     <entry><form><orth>groot</orth></form>
      <sense><cit type="trans" xml:lang="fr"><quote>grand (de taille)</quote></cit></sense>
      <re><form><orth>groots</orth></form><sense><def>prachtig</def></sense></re></entry></body>"""
    path = published(tmp_path, "nld-fra.tei", body)
    expected = [
        ("kat", "chat"),
        ("kat", "chatte"),
        ("kat", "chatte"),
        ("lopen", ""),
        ("groot", "grand"),
        ("groots", ""),
    ]
    assert pairs(tei.read(path)) == pairs(tei.read(path, ("nld", "fra"))) == expected
    turned = [(target or word, word if target else "") for word, target in expected]
    assert pairs(tei.read(path, ("fr", "nl"))) == turned
    assert {target for _, target in pairs(tei.read(path, ("de", "fr")))} == {""}
    assert not caplog.records


def test_a_dictionary_written_by_hand(tmp_path):
    """As FreeDict's older ones: only the form has a language; grammar of the translation, examples, references."""
    header = """<profileDesc><langUsage><language ident="kha">Khasi</language></langUsage></profileDesc>"""
    body = """<front><div><p>Abbreviations</p></div></front><body><div><head>A</head>
     <entry xml:id="a1"><form xml:lang="kha"><orth>almari</orth></form><gramGrp><pos>n</pos><gen>f</gen></gramGrp>
      <sense><cit type="trans"><quote>Schrank</quote><gramGrp><gen>m</gen></gramGrp></cit></sense></entry>
     <entry><form xml:lang="kha"><orth>bah</orth></form><gramGrp><pos>v</pos></gramGrp>
      <sense><usg type="dom">Kind</usg><cit type="trans"><quote>tragen (auf dem Rücken), halten</quote></cit>
       <cit type="dicteg"><quote>bah ia ka</quote><cit type="trans"><quote>trag sie</quote></cit></cit></sense>
      <sense><xr type="syn"><ref target="#a1">almari</ref></xr><note type="rem">selten</note></sense></entry>
     <entry><form xml:lang="kha"><orth>noh</orth></form><sense><def>statt x, gib y</def></sense></entry></div>
     <div><head>B</head><superEntry><entry><form xml:lang="kha"><orth>beh</orth></form>
       <hom n="1"><sense><cit type="trans"><quote>jagen</quote></cit></sense></hom>
       <hom n="2"><sense><cit type="trans"><quote>folgen; streben</quote></cit></sense></hom></entry></superEntry>
     </div></body>"""
    path = published(tmp_path, "kha-deu.tei", body, header)
    assert pairs(tei.read(path)) == [
        ("almari", "Schrank"), ("bah", "tragen"), ("bah", "halten"), ("noh", "statt x"), ("noh", "gib y"),
        ("beh", "jagen"), ("beh", "folgen"), ("beh", "streben"),
    ]  # fmt: skip


def test_a_dictionary_in_tei_lex_0(tmp_path):
    """Entries inside an entry, inflected forms, senses inside senses, and definitions in the language of the entry."""
    body = """<body>
     <entry xml:id="h" xml:lang="fr" type="mainEntry"><form type="lemma"><orth>horreur</orth><pc>,</pc></form>
      <form type="inflected"><gramGrp><gram type="number">pl</gram></gramGrp><orth extent="suffix">s</orth></form>
      <gramGrp><gram type="pos">n</gram></gramGrp><metamark function="senseDelimiter">;</metamark>
      <sense xml:id="h.1"><def>effroi</def><sense xml:id="h.1.1">
        <cit type="translationEquivalent" xml:lang="en"><form type="lemma"><orth>horror</orth></form>
         <form type="variant"><orth>horrour</orth></form><usg type="hint">archaic</usg></cit></sense></sense>
      <sense xml:id="h.2"><cit type="translation" xml:lang="en"><quote>loathing, dread</quote><note>rare</note></cit>
       <cit type="example"><quote>quelle horreur<bibl><ref type="entry">x</ref></bibl></quote>
        <cit type="translation" xml:lang="en"><quote>how horrible</quote></cit></cit></sense>
      <entry type="relatedEntry"><form type="lemma"><orth>horrifier</orth></form>
       <sense><cit type="translationEquivalent" xml:lang="en"><quote>horrify</quote></cit></sense></entry>
      <etym type="inheritance"><cit type="etymon" xml:lang="la"><form><orth>horror</orth></form></cit></etym></entry>
     <entry xml:lang="fr"><form type="lemma"><orth>effroi</orth></form><sense><def>peur vive</def></sense></entry>
     </body>"""
    path = published(tmp_path, "fr.xml", body)
    expected = [("horreur", "horror"), ("horreur", "horrour"), ("horreur", "loathing"), ("horreur", "dread")]
    expected += [("horrifier", "horrify"), ("effroi", "")]
    assert pairs(tei.read(path)) == pairs(tei.read(path, ("fra", "eng"))) == expected
