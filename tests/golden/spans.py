"""Random tags of several schemes, and what seqeval 1.2.2 says of them: ``spans.json`` beside this file.

seqeval is not needed to run the tests. To make the figures again, in an environment that has it::

    pip install seqeval==1.2.2
    PYTHONPATH=. python tests/golden/spans.py
"""

import json
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

FIGURES = Path(__file__).with_suffix(".json")
CASES = 250  # of each scheme
ODD = "O B I E S B- I- -PER X-PER O-PER .-PER . X PER B-PER I-PER I-PER-x I-LOC-x I-LOC E-LOC S-LOC b-PER __".split()
SCHEMES = {
    "IOB1": "O I-PER I-LOC I-ORG B-PER".split(),
    "IOB2": "O B-LOC I-LOC B-ORG I-ORG B-PER I-PER".split(),
    "IOE2": "O I-PER E-PER I-LOC E-LOC".split(),
    "IOBES": "O B-PER I-PER E-PER S-PER B-LOC I-LOC E-LOC S-LOC".split(),
    "BILOU": "O B-PER I-PER L-PER U-PER B-LOC I-LOC L-LOC U-LOC".split(),
    "UPOS": "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split(),
    "odd": ODD,
}
Sentences = list[list[str]]


def cases(scheme: str) -> Iterator[tuple[Sentences, Sentences]]:
    """Gold and predicted tags of one to four sentences, ``CASES`` times; ``random.Random`` draws alike everywhere."""
    draw = random.Random(scheme)
    tags = SCHEMES[scheme]

    def drawn(before: list[str]) -> str:
        return before[-1] if before and draw.random() < 0.3 else draw.choice(tags)  # runs of one tag are frequent

    for _ in range(CASES):
        gold, predicted = [], []
        for _ in range(draw.randint(1, 4)):
            one, other = [], []
            for _ in range(draw.randint(1, 11)):
                one.append(drawn(one))
                other.append(one[-1] if draw.random() < 0.7 else drawn(other))
            gold.append(one)
            predicted.append(other)
        yield gold, predicted


def figures(gold: Sentences, predicted: Sentences, strict: bool) -> list[float]:
    """True positives, predicted and gold spans, micro F1 and macro F1 of the default mode, and F1 of the strict one."""
    from seqeval.metrics import f1_score
    from seqeval.metrics.sequence_labeling import get_entities
    from seqeval.scheme import IOB2

    spans = set(get_entities(predicted)), set(get_entities(gold))
    macro = f1_score(gold, predicted, average="macro") if any(spans) else 0  # else the mean of nothing
    scores = [f1_score(gold, predicted), macro]
    scores += [f1_score(gold, predicted, mode="strict", scheme=IOB2)] if strict else []
    return [len(spans[0] & spans[1]), *map(len, spans), *(round(float(score), 6) for score in scores)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of tags that belong to no scheme, and of types that are not found
    made = {name: [figures(*case, strict=name == "IOB2") for case in cases(name)] for name in SCHEMES}
    lines = ",\n".join(
        f'"{name}": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]"
        for name, rows in made.items()
    )
    FIGURES.write_text(f"{{{lines}}}\n", encoding="utf-8")
