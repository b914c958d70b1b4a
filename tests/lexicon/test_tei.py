"""Dictionaries in TEI."""

import gzip

import pytest

from fairseq_align.errors import InputError
from fairseq_align.lexicon import tei
from tests.lexicon.test_dictd import pairs

TEI = """<?xml version="1.0" encoding="UTF-8"?>
<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body>
<entry><form><orth>house</orth><pron>haʊs</pron></form><gramGrp><pos>n</pos></gramGrp>
 <sense n="1"><cit type="trans"><quote>maison</quote></cit><cit type="trans"><quote>grand
   logis</quote></cit>
   <cit type="example"><quote>a big house</quote><cit type="trans"><quote>x</quote></cit></cit></sense>
 <sense n="2"><usg>pol.</usg><cit type="translation"><quote>chambre</quote></cit></sense></entry>
<entry><form><orth>colour</orth><orth>color</orth></form>
 <sense><cit type="trans"><quote>couleur</quote></cit></sense></entry>
<entry><form><orth>lone</orth></form><sense><def>nothing</def></sense></entry>
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
