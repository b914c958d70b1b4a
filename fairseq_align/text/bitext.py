"""Parallel text: two columns of a table, cleaned side by side; line i of one file translates line i of the other."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines, writing
from fairseq_align.text.corpus import Cleaning
from fairseq_align.text.unspaced import Watch


def read(path: str | Path, columns: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Two columns, numbered from 1, of each line of a TSV file, plain or packed; a blank line is a pair without text.

    Raises:
        InputError: as ``files.read_lines``; or a line has too few columns, or more or fewer than the lines before.

    Example:
        >>> _ = Path("help.tsv").write_text("The cat.\\tx\\tLe chat.\\n")
        >>> list(read("help.tsv", columns=(3, 1)))
        [('Le chat.', 'The cat.')]
    """
    width = 0
    for number, line in read_lines(path, longest=LONGEST_ROW):
        fields = line.split("\t")
        if len(fields) == 1 and not line.strip():
            yield "", ""
            continue
        if len(fields) < max(columns):
            raise InputError(
                f"{path}:{number}: found {len(fields)} columns, expected at least {max(columns)}; "
                "check --input, and that tabs separate the sentences"
            )
        width = width or len(fields)
        if len(fields) != width:
            raise InputError(
                f"{path}:{number}: found {len(fields)} columns, expected {width} as in the lines before; mend the "
                "line, and take out tabs inside sentences"
            )
        yield fields[columns[0] - 1], fields[columns[1] - 1]


def build(
    files: Sequence[tuple[str | Path, tuple[int, int]]],
    out: tuple[Path, Path],
    langs: tuple[str, str],
    max_words: int = 0,
    progress: Callable[[int], object] = lambda n: None,
    tokenized: bool = False,
) -> Counter:
    """Normalise and tokenise both sides as ``fairseq-align corpus`` does, and write a line for each pair.

    Args:
        files: each with its two columns.
        out: text files of the two sides.
        max_words: longer sentences take their pair with them; 0: none is too long.
        progress: called with 1 for each pair read.
        tokenized: words are separated by spaces already and stay as they are.

    Returns:
        the counts ``read``, ``kept``, ``empty`` (a side is), ``too long`` (a side is) and ``duplicate``; the last four
        sum to the first.
    """
    cleanings = [Cleaning(lang, split=False) for lang in langs]
    watches = [Watch() for _ in langs]
    counts, seen = Counter(dict.fromkeys(("read", "kept", "empty", "too long", "duplicate"), 0)), set()
    with ExitStack() as stack:
        sides = [stack.enter_context(writing(path)) for path in out]
        for path, columns in files:
            for pair in read(path, columns):
                counts["read"] += 1
                progress(1)
                cleaned = [cleaning.sentences(text, tokenized) for cleaning, text in zip(cleanings, pair, strict=True)]
                sentences = tuple(lines[0] for lines in cleaned if lines)
                if len(sentences) < 2:
                    counts["empty"] += 1
                elif max_words and any(len(sentence.split()) > max_words for sentence in sentences):
                    counts["too long"] += 1
                elif sentences in seen:
                    counts["duplicate"] += 1
                else:
                    seen.add(sentences)
                    counts["kept"] += 1
                    for side, sentence, watch in zip(sides, sentences, watches, strict=True):
                        side.write(sentence + "\n")
                        watch.see(sentence)
        if not counts["kept"]:
            raise InputError(f"{out[0]}: found no pair of sentences in {counts['read']:,} lines, expected some")
    for path, watch in zip(out, watches, strict=True):
        watch.warn(path)
    return counts
