"""Codes of languages as dictionaries write them: ``en``, ``eng``, ``eng-000``, ``en-GB`` are one language."""

import logging
from functools import cache
from pathlib import Path

logger = logging.getLogger(__name__)

# ISO 639-1, ISO 639-3, and other codes of the same language: of ISO 639-2, of its standard form (cmn)
CODES = """
aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara:arb as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul bh:bih
bi:bis bm:bam bn:ben bo:bod:tib br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces:cze cu:chu cv:chv cy:cym:wel
da:dan de:deu:ger dv:div dz:dzo ee:ewe el:ell:gre en:eng eo:epo es:spa et:est:ekk eu:eus:baq fa:fas:per:pes ff:ful
fi:fin fj:fij fo:fao fr:fra:fre fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv
ht:hat hu:hun hy:hye:arm hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl:ice it:ita iu:iku ja:jpn
jv:jav ka:kat:geo kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir
la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav:lvs mg:mlg mh:mah mi:mri:mao mk:mkd:mac ml:mal mn:mon
mr:mar ms:msa:may:zsm mt:mlt my:mya:bur na:nau nb:nob nd:nde ne:nep ng:ndo nl:nld:dut nn:nno no:nor nr:nbl nv:nav
ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron:rum ru:rus
rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slk:slo sl:slv sm:smo sn:sna so:som sq:sqi:alb sr:srp ss:ssw
st:sot su:sun sv:swe sw:swa:swh ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat
tw:twi ty:tah ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha
zh:zho:chi:cmn zu:zul
"""


@cache
def _three_letters() -> dict[str, str]:
    """ISO 639-3 by every other code of a language."""
    rows = (row.split(":") for row in CODES.split())
    return {other: three for two, three, *more in rows for other in (two, *more)}


def language(code: str) -> str:
    """A language without its country, script or variety, in three letters where it has them; empty: unknown.

    Example:
        >>> language("en-GB"), language("eng-000"), language("ger"), language("und")
        ('eng', 'eng', 'deu', '')
    """
    first = code.lower().replace("_", "-").partition("-")[0]
    return "" if first == "und" else _three_letters().get(first, first)


def agree(found: str, wanted: str) -> bool:
    """Whether a code is, or may be, of the wanted language: a code that is empty is of any.

    Of two codes with a variety (``eng-000``), the varieties have to be the same.

    Example:
        >>> agree("eng-000", "en"), agree("eng-001", "eng-000"), agree("", "fr"), agree("de", "fr")
        (True, False, True, False)
    """
    if not language(found):
        return True
    if "-" in found and "-" in wanted:
        return found.lower() == wanted.lower()
    return language(found) == language(wanted)


def is_turned(source: str, target: str, wanted: tuple[str, str]) -> bool | None:
    """Whether a pair of these two languages is the other way round than wanted; None: of other languages.

    Example:
        >>> is_turned("fr", "en", ("eng", "fra")), is_turned("fr", "de", ("eng", "fra"))
        (True, None)
    """
    if agree(source, wanted[0]) and agree(target, wanted[1]):
        return False
    return True if agree(source, wanted[1]) and agree(target, wanted[0]) else None


def warn_without(path: str | Path, languages: tuple[str, str] | None) -> None:
    """Say in the log that a file names no languages, where some are asked for."""
    if languages is not None:
        logger.warning("%s: names no languages; --languages %s has no effect on it", path, ":".join(languages))
