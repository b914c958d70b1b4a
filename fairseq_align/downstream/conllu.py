"""CoNLL-U files (treebanks of Universal Dependencies, output of parsers), read with checks and line numbers.

    1<TAB>She<TAB>she<TAB>PRON<TAB>_<TAB>_<TAB>2<TAB>nsubj<TAB>_<TAB>_
    2<TAB>sleeps<TAB>sleep<TAB>VERB<TAB>_<TAB>_<TAB>0<TAB>root<TAB>_<TAB>_

Lines are words, multiword tokens (id ``3-4``) and empty nodes (``3.1``); an empty line ends a sentence. Format:
https://universaldependencies.org/format.html
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from conllu import Token, TokenList
from conllu.exceptions import ParseException
from conllu.parser import DEFAULT_FIELD_PARSERS, DEFAULT_FIELDS, parse_comment_line, parse_line

from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines
from fairseq_align.text.normalise import normalise

# https://universaldependencies.org/u/pos/, alphabetical
UPOS = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())

ABSENT = "_"  # stands for text that may not be distributed, once a word or once a letter
SIGNS = frozenset({"PUNCT", "SYM", "X"})  # tags of words that may be an underscore

MOST_LINES, LONGEST = 10_000, 1 << 20  # lines and characters of a sentence; the treebanks have hundreds of words

_NUMBER = "[1-9][0-9]{0,8}"  # Python reads no number of thousands of digits
_ID = re.compile(rf"(?P<word>{_NUMBER})|(?P<first>{_NUMBER})-(?P<last>{_NUMBER})|(?P<before>0|{_NUMBER})\.{_NUMBER}")


class Sentence(TokenList):
    """A sentence with its source: token ``i`` is line ``lines[i]`` (from 1) of the file ``path``.

    ``comments`` are the lines before it as they stand, ``metadata`` those that have a name and a value.
    """

    path: str
    lines: list[int]
    comments: list[str]

    def serialize(self) -> str:
        """CoNLL-U with all comments, which ``TokenList`` gives without those that repeat a name or have no value."""
        return "".join(f"{comment}\n" for comment in self.comments) + TokenList(list(self)).serialize()


def _attributes(columns: list[str], index: int) -> dict[str, str | None] | None:
    """FEATS or MISC by their names, so that ``serialize`` gives the same text: ``Gloss=a=b|Foo=|Bar``.

    A value ends at the next ``|``; a name that comes again goes on with the value of the first one.
    """
    if columns[index] in ("", "_"):
        return None
    attributes: dict[str, str | None] = {}
    for part in filter(None, columns[index].split("|")):
        name, _, value = part.partition("=")
        if not value:
            attributes[part] = ""
        elif attributes.get(name):
            attributes[name] = f"{attributes[name]}|{part}"
        else:
            attributes[name] = None if value == "_" else value
    return attributes


PARSERS = {**DEFAULT_FIELD_PARSERS, "feats": _attributes, "misc": _attributes}


def read(path: str | Path) -> Iterator[Sentence]:
    """Sentences of a CoNLL-U file, plain or gzipped, with multiword tokens (id ``3-4``) and empty nodes (``3.1``).

    Raises:
        InputError: the file cannot be read, or a line has not ten columns, an empty FORM, an id out of order or a
            column that does not parse.

    Example:
        >>> from fairseq_align.files import writing
        >>> with writing("she-runs.conllu") as file:
        ...     _ = file.write("1\\tShe\\tshe\\tPRON" + "\\t_" * 6 + "\\n2\\truns\\trun\\tVERB" + "\\t_" * 6 + "\\n")
        >>> [(sentence, sentence.lines) for sentence in read("she-runs.conllu")]
        [(TokenList<She, runs>, [1, 2])]
    """
    block, comments, length = [], [], 0
    for number, line in chain(read_lines(path, longest=LONGEST_ROW), [(0, "")]):
        if line.strip():
            block.append((number, line))
            length += len(line)
            if len(block) + len(comments) > MOST_LINES or length > LONGEST:
                raise InputError(
                    f"{path}:{number}: found a sentence of more than {MOST_LINES:,} lines or {LONGEST:,} characters, "
                    "expected a shorter one; separate sentences by empty lines"
                )
        elif all(line.startswith("#") for _, line in block):  # comments of the document, before an empty line
            comments += [line for _, line in block]
            block = []
        else:
            yield _sentence(path, block, comments)
            block, comments, length = [], [], 0


def _sentence(path: str | Path, block: list[tuple[int, str]], comments: list[str]) -> Sentence:
    """The sentence of a block of numbered lines, not all of them comments, after comments that stand alone."""
    sentence = Sentence(default_fields=DEFAULT_FIELDS)
    sentence.path, sentence.lines, sentence.comments = str(path), [], comments
    words = 0
    for number, line in block:
        if line.startswith("#"):
            sentence.comments.append(line)
            sentence.metadata.update(parse_comment_line(line))
            continue
        token = _token(f"{path}:{number}", line, words)
        words += isinstance(token["id"], int)
        sentence.append(token)
        sentence.lines.append(number)
    return sentence


def _token(place: str, line: str, words: int) -> Token:
    """The token of one line, which is at ``place`` (path:line) and follows ``words`` words of its sentence."""
    columns = line.split("\t")
    if len(columns) != len(DEFAULT_FIELDS):
        raise InputError(
            f"{place}: found {len(columns)} columns, expected {len(DEFAULT_FIELDS)} separated by tabs; mend the line"
        )
    if not columns[1].strip(" "):
        raise InputError(f"{place}: found an empty FORM, expected a word; mend the line, _ stands for nothing")
    _check_id(place, columns[0], words)
    try:
        # conllu takes two spaces for the end of a column
        return parse_line(re.sub(" {2,}", " ", line), DEFAULT_FIELDS, PARSERS)
    except (ParseException, ValueError) as error:  # the latter: a head of thousands of digits
        raise InputError(f"{place}: found a column that does not parse ({error}), expected CoNLL-U; mend it") from error


def _check_id(place: str, text: str, words: int) -> None:
    """Raise ``InputError`` unless an id continues a sentence of ``words`` words: after two words 3, 3-4 or 2.1."""
    match = _ID.fullmatch(text)
    if match is None:
        raise InputError(
            f"{place}: found id {text!r:.40}, expected a number (3), a range (3-4) or an empty node (3.1); mend it"
        )
    if match["before"] is not None:
        if int(match["before"]) != words:
            raise InputError(f"{place}: found empty node {text}, expected {words}.1 or later; mend the order")
    elif int(match["word"] or match["first"]) != words + 1:
        raise InputError(
            f"{place}: found id {text}, expected {words + 1}; number words from 1, an empty line ends a sentence"
        )
    elif match["last"] is not None and int(match["last"]) <= words + 1:
        raise InputError(f"{place}: found range {text}, expected first-last with last beyond first; mend the id")


def words_and_tags(sentence: Sentence, labels: Iterable[str] = UPOS) -> tuple[list[str], list[str]]:
    """Syntactic words (FORM, normalised) of a sentence and their UPOS tags.

    Multiword tokens and empty nodes are left out: the words that a multiword token stands for follow it.

    Raises:
        InputError: a tag is not among ``labels``; or all words are ``_``, as in treebanks published
            without their text.

    Example:
        >>> from fairseq_align.files import writing
        >>> with writing("sleeps.conllu") as file:
        ...     _ = file.write("1\\tSleeps\\tsleep\\tVERB" + "\\t_" * 6 + "\\n")
        >>> [words_and_tags(sentence) for sentence in read("sleeps.conllu")]
        [(['Sleeps'], ['VERB'])]
    """
    words, tags = [], []
    for token, number in zip(sentence, sentence.lines, strict=True):
        if not isinstance(token["id"], int):
            continue
        if token["upos"] not in labels:
            raise InputError(
                f"{sentence.path}:{number}: found UPOS {token['upos']!r:.40} of {token['form']!r:.40}, "
                f"expected one of {' '.join(labels)}; tag the word, or leave the sentence out"
            )
        words.append(normalise(token["form"]))
        tags.append(token["upos"])
    spoken = [word for word, tag in zip(words, tags, strict=True) if tag not in SIGNS]
    if spoken and not any(word.strip(ABSENT) for word in spoken):
        raise InputError(
            f"{sentence.path}:{sentence.lines[0]}: found a sentence whose words are all {ABSENT}, expected text; it "
            "was taken out of this treebank: merge it in, as the treebank's README says"
        )
    return words, tags
