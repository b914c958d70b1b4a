"""Task ``align_mlm``: masked language modelling in several languages, each a folder of binarized data."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from fairseq import utils
from fairseq.data import Dictionary
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.tasks import FairseqTask, register_task
from omegaconf import II, MISSING

from fairseq_align import vocabulary
from fairseq_align.data import binarized
from fairseq_align.data.blocks import BREAK_MODES, Blocks
from fairseq_align.data.masked_lm import MaskedLmDataset
from fairseq_align.data.masking import Masking
from fairseq_align.errors import InputError

logger = logging.getLogger(__name__)


@dataclass
class AlignMlmTaskConfig(FairseqDataclass):
    data: str = field(
        default=MISSING,
        metadata={
            "help": "folder with dict.txt and one folder of binarized data a language; "
            "of several, separated by colons, one is read an epoch"
        },
    )
    langs: str = field(default=MISSING, metadata={"help": "comma-separated languages to train on, folders of the data"})
    tokens_per_sample: int = field(default=512, metadata={"help": "most tokens in an item, <s> included"})
    sample_break_mode: ChoiceEnum(BREAK_MODES) = field(
        default="none",
        metadata={
            "help": "none: every item full; complete: whole sentences, as many as fit; eos: one sentence an item"
        },
    )
    mask_prob: float = field(default=0.15, metadata={"help": "share of the tokens to predict; 0: none"})
    random_token_prob: float = field(
        default=0.1, metadata={"help": "share of the predicted tokens shown as a random token"}
    )
    leave_unmasked_prob: float = field(
        default=0.1, metadata={"help": "share of the predicted tokens shown as they are"}
    )
    multilang_sampling_alpha: float = field(
        default=1.0,
        metadata={
            "help": "languages are sampled in proportion to their size to this power; 1: as they are, 0: all alike"
        },
    )
    seed: int = II("common.seed")


@register_task("align_mlm", dataclass=AlignMlmTaskConfig)
class AlignMlmTask(FairseqTask):
    """Masked language modelling on ``<data>/<lang>/<split>``, for the criterions ``align_mlm`` and ``masked_lm``.

    The subset ``valid`` is that split of all languages, ``valid_<lang>`` that of one.
    """

    cfg: AlignMlmTaskConfig

    def __init__(self, cfg: AlignMlmTaskConfig, dictionary: Dictionary):
        super().__init__(cfg)
        self.dictionary = dictionary
        self.words = (dictionary.nspecial, len(dictionary))
        self.mask_idx = dictionary.add_symbol(vocabulary.MASK)
        self.langs = cfg.langs.split(",")
        self.update_num = 0

    @classmethod
    def setup_task(cls, cfg: AlignMlmTaskConfig, **kwargs) -> "AlignMlmTask":
        dictionary = vocabulary.load(Path(utils.split_paths(cfg.data)[0]) / "dict.txt")
        logger.info("dictionary: %d types", len(dictionary))
        return cls(cfg, dictionary)

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        """Load a split of all languages, or ``<split>_<lang>`` of one.

        Raises:
            InputError: a language lacks the split.
        """
        paths = utils.split_paths(self.cfg.data)
        data = Path(paths[(epoch - 1) % len(paths)])
        name, _, lang = split.partition("_")
        blocks = [self._blocks(data / folder / name) for folder in ([lang] if lang else self.langs)]
        masking = Masking(
            mask_prob=self.cfg.mask_prob,
            random_token_prob=self.cfg.random_token_prob,
            leave_unmasked_prob=self.cfg.leave_unmasked_prob,
            mask_idx=self.mask_idx,
            pad_idx=self.dictionary.pad(),
            words=self.words,
        )
        alpha = self.cfg.multilang_sampling_alpha if name == "train" else 1.0
        self.datasets[split] = MaskedLmDataset(blocks, masking, self.dictionary.pad(), self.cfg.seed, alpha)

    def _blocks(self, prefix: Path) -> Blocks:
        if not binarized.exists(prefix):
            folders = sorted(path.parent.name for path in prefix.parent.parent.glob(f"*/{prefix.name}.idx"))
            raise InputError(
                f"{prefix}.idx: found no binarized data, expected one of the languages with this split: "
                f"{', '.join(folders) or 'none is there'}; check --langs and the subset, or run fairseq-preprocess"
            )
        blocks = Blocks(prefix, self.cfg.tokens_per_sample, str(self.cfg.sample_break_mode), self.dictionary.bos())
        logger.info("%s: %d tokens in %d blocks", prefix, len(blocks.tokens), len(blocks))
        return blocks

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        self.update_num = update_num  # the criterion samples pairs by it
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    @property
    def source_dictionary(self) -> Dictionary:
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        return self.dictionary

    def max_positions(self) -> int:
        return self.cfg.tokens_per_sample
