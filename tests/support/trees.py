"""Two sentences with their trees in CoNLL-U, and more of them by hand."""

import gzip
from pathlib import Path

from fairseq_align.downstream import conllu


def sentence(*rows, comments=()) -> str:
    """CoNLL-U of a sentence; rows are (id, form, UPOS, head, relation[, misc])."""
    lines = [f"# {comment}" for comment in comments]
    for number, form, tag, head, relation, *misc in rows:
        misc = misc[0] if misc else "_"
        lines.append("\t".join([str(number), form, form.lower(), tag, "_", "_", str(head), relation, "_", misc]))
    return "\n".join(lines) + "\n\n"


# a language in which heads come last; "the cat-of tail" has its adposition behind the noun
HEAD_FINAL = sentence(
    (1, "anna", "PRON", 8, "nsubj"),
    (2, "no", "DET", 3, "det"),
    (3, "ko", "NOUN", 8, "obl"),
    (4, "ni", "ADP", 3, "case"),
    (5, "furui", "ADJ", 6, "amod"),
    (6, "hon", "NOUN", 8, "obj"),
    (7, ",", "PUNCT", 8, "punct"),
    (8, "yomu", "VERB", 0, "root"),
    (9, ".", "PUNCT", 8, "punct"),
)
ENGLISH = sentence(
    (1, "She", "PRON", 2, "nsubj"),
    (2, "reads", "VERB", 0, "root"),
    (3, "old", "ADJ", 4, "amod"),
    (4, "books", "NOUN", 2, "obj"),
    (5, "in", "ADP", 7, "case"),
    (6, "the", "DET", 7, "det"),
    (7, "library", "NOUN", 2, "obl", "SpaceAfter=No"),
    (8, ".", "PUNCT", 2, "punct"),
    comments=["sent_id = 1", "text = She reads old books in the library."],
)


def write(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path, text: str) -> list[conllu.Sentence]:
    return list(conllu.read(write(tmp_path / "sentences.conllu", text)))
