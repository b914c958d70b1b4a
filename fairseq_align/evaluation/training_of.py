"""What a checkpoint says of its training: objective, languages and lexicons, which commands then need not be told.

A fine-tuned model says it of the pre-training that it began as. Checkpoints without fingerprints say nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_align.errors import InputError
from fairseq_align.evaluation.checkpoint import Checkpoint
from fairseq_align.files import checksum
from fairseq_align.objectives import OBJECTIVES
from fairseq_align.training.fingerprint import ABOUT, ALLOW, PRETRAINING, allowed

SPLITS = {"seen": "lexicon", "heldout": "heldout_lexicon"}  # of a score of alignment, and the setting of its lexicon


@dataclass(frozen=True)
class Training:
    """What is known of a pre-training; empty where nothing is.

    Attributes:
        path: of the checkpoint, begins messages.
        objectives: beside MLM, or ``mlm`` alone.
        langs: in the order of ``--langs``.
        lexicons: checksums of those that it learnt from.
    """

    path: Path
    objectives: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()
    lexicons: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Training":
        made = checkpoint.made_of
        made = made if made.get(ABOUT) else made.get(PRETRAINING) or {}
        about, lexicons = ({**(made.get(name) or {})} for name in (ABOUT, "lexicon"))
        objectives = str(about.get("objectives", "")).split("+") if about else []
        sums = re.findall(r"\b[0-9a-f]{12}\b", f"{lexicons.get('--lexicon', '')},{lexicons.get('--dict-mlm', '')}")
        langs = str(about.get("langs", "")).split(",") if about else []
        known = (name for name in objectives if name in OBJECTIVES)
        return cls(checkpoint.path, tuple(known), tuple(filter(None, langs)), frozenset(sums))

    def objective(self, given: str | None) -> str:
        """The objective to record: the one that is given, or that of the checkpoint.

        Raises:
            InputError: the two contradict each other, or there is none or more than one to take.
        """
        if given is None and len(self.objectives) == 1:
            return self.objectives[0]
        if given is None:
            found = f"several objectives, {', '.join(self.objectives)}" if self.objectives else "no objective"
            choice = ", ".join(self.objectives or OBJECTIVES)
            raise InputError(f"{self.path}: found {found} in the checkpoint, expected one; give --objective: {choice}")
        if self.objectives and given not in self.objectives:
            raise InputError(
                f"--objective: found {given}, expected {' or '.join(self.objectives)}, which {self.path} was trained "
                "with; leave the flag out"
            )
        return given

    def target(self, given: str | None) -> str:
        """The target language: the one that is given, or the other one of two that the model was trained on.

        Raises:
            InputError: it is not given, and there are not two.
        """
        if given is None and len(self.langs) != 2:
            found = ", ".join(self.langs) or "no languages"
            raise InputError(f"{self.path}: found {found} in the checkpoint, expected two; give --lang")
        return given or self.langs[1]

    def check_seen(self, lexicon: str | None) -> None:
        """Refuse a lexicon as the one that was trained on if it is not; a model without lexicons has seen none.

        Raises:
            InputError: the training had others.
        """
        if not lexicon or not self.lexicons or "lexicon" in allowed():
            return
        if checksum(lexicon) not in self.lexicons:
            raise InputError(
                f"--lexicon: found {lexicon} with checksum {checksum(lexicon)}, expected one of the training of "
                f"{self.path}, {', '.join(sorted(self.lexicons))}; give pairs that it has not seen as "
                f"--heldout-lexicon, or set {ALLOW}=lexicon"
            )


def lexicons_of(checkpoint: Checkpoint) -> dict[str, str]:
    """Paths of the lexicons of a training by split, where they are still there and the same.

    Raises:
        InputError: it had none or several, or a file is gone or has changed.
    """
    settings = checkpoint.cfg.criterion
    sums: Mapping = checkpoint.made_of.get("lexicon") or {}
    found = {}
    for split, name in SPLITS.items():
        path, expected = getattr(settings, name, None), sums.get("--" + name.replace("_", "-"))
        if path and expected:
            same = Path(path).is_file() and checksum(path) == expected
            if not same:
                raise InputError(
                    f"{checkpoint.path}: found the lexicon {path} gone or changed since the training, or several; "
                    "name the files of the study: --lexicon, --heldout-lexicon or both"
                )
            found[split] = path
    if not found:
        raise InputError(
            f"{checkpoint.path}: found no lexicon in the checkpoint, expected --lexicon, --heldout-lexicon or both; "
            "name the files of the study"
        )
    return found
