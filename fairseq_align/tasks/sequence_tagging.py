"""Task ``sequence_tagging``: a label for every word (part of speech, named entities), by language."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from fairseq.data import Dictionary
from fairseq.tasks import register_task
from omegaconf import II, MISSING

from fairseq_align import ranges
from fairseq_align.data.tagging import TaggingDataset
from fairseq_align.errors import InputError
from fairseq_align.ranges import LENGTH, number
from fairseq_align.text import vocabulary
from fairseq_align.training.parts import PartsConfig, PartsTask

logger = logging.getLogger(__name__)


@dataclass
class SequenceTaggingTaskConfig(PartsConfig):
    data: str = field(
        default=MISSING,
        metadata={
            "help": "folder with dict.txt, label/dict.txt and one folder of binarized tokens and labels a language"
        },
    )
    lang: str = field(
        default=MISSING,
        metadata={"help": "language of the subsets that name none; test_fr is always French"},
    )
    tokens_per_sample: int = number(
        512, LENGTH, "most tokens in an item, <s> included; longer sentences are cut before a word"
    )
    seed: int = II("common.seed")


@register_task("sequence_tagging", dataclass=SequenceTaggingTaskConfig)
class SequenceTaggingTask(PartsTask):
    """Labels on the first subword of each word, from ``<data>/<lang>/<split>`` and ``<split>.label``.

    The subset ``valid`` is that split of ``--lang``, ``valid_<lang>`` that of another language.

    Attributes:
        labels: names of the labels in the order of the logits, that of label/dict.txt.
        positions: most tokens in an item: ``--tokens-per-sample``, or the positions of the model if it has fewer.
    """

    cfg: SequenceTaggingTaskConfig

    def __init__(self, cfg: SequenceTaggingTaskConfig, dictionary: Dictionary, label_dictionary: Dictionary):
        ranges.check(SequenceTaggingTaskConfig, cfg)
        super().__init__(cfg)
        self.dictionary = dictionary
        self.label_dictionary = label_dictionary
        self.labels = vocabulary.pieces(label_dictionary)
        self.positions = cfg.tokens_per_sample

    @classmethod
    def setup_task(cls, cfg: SequenceTaggingTaskConfig, **kwargs) -> "SequenceTaggingTask":
        dictionary = vocabulary.load(Path(cfg.data) / "dict.txt")
        dictionary.add_symbol(vocabulary.MASK)  # as in pre-training
        label_dictionary = vocabulary.load(Path(cfg.data) / "label" / "dict.txt")
        logger.info(
            "dictionary: %d types, %d labels", len(dictionary), len(label_dictionary) - label_dictionary.nspecial
        )
        return cls(cfg, dictionary, label_dictionary)

    def load_dataset(self, split: str, combine: bool = False, **kwargs) -> None:
        """Load ``<split>`` of ``--lang`` or ``<split>_<lang>``.

        Raises:
            InputError: there is no such data, or tokens and labels do not fit together.
        """
        name, _, lang = split.partition("_")
        prefix = Path(self.cfg.data) / (lang or self.cfg.lang) / name
        self.datasets[split] = TaggingDataset(
            prefix, self.positions, self.dictionary, self.label_dictionary, self.cfg.seed
        )
        logger.info("%s: %d items", prefix, len(self.datasets[split]))

    def files_of(self, split: str) -> list[str]:
        """Paths in the folder of data, without their endings, of what a split is read from."""
        name, _, lang = split.partition("_")
        prefix = f"{lang or self.cfg.lang}/{name}"
        return [prefix, f"{prefix}.label"]

    def build_model(self, cfg, from_checkpoint: bool = False):
        model = super().build_model(cfg, from_checkpoint)
        self.positions = min(self.cfg.tokens_per_sample, model.max_positions())  # fairseq loads the data afterwards
        return model

    def state_dict(self) -> dict:
        """State that a checkpoint keeps of the task: the labels of its logits."""
        return {"labels": self.labels}

    def load_state_dict(self, state_dict: dict) -> None:
        """Check that the labels of the data are those of the checkpoint; a checkpoint without labels takes any.

        Raises:
            InputError: label/dict.txt differs from that of fine-tuning.
        """
        trained = state_dict.get("labels", self.labels)
        if trained != self.labels:
            raise InputError(
                f"{self.cfg.data}/label/dict.txt: found {' '.join(self.labels)}, expected {' '.join(trained)} as in "
                "fine-tuning; binarize the data with the same --task and --types"
            )

    @property
    def source_dictionary(self) -> Dictionary:
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        return self.label_dictionary

    def max_positions(self) -> int:
        return self.positions
