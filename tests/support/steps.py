"""A tiny model that takes steps in this process, and the batch that it learns from."""

import copy
from argparse import Namespace

import torch
from fairseq.data import Dictionary
from fairseq.models.roberta.model import base_architecture
from omegaconf import OmegaConf

from fairseq_align.criterions.align_mlm import AlignMlmLoss
from fairseq_align.lexicon import file as lexicon
from fairseq_align.tasks.align_mlm import AlignMlmTask, AlignMlmTaskConfig
from fairseq_align.training import parts
from fairseq_align.training.adamw import AdamW, AdamWConfig

PIECES = [f"\u2581{chr(97 + number)}" for number in range(20)]
TABLE, LAYERS = parts.TABLE, 3
USED = (4, 5, 6, 7)  # rows of the text; pairs are of 8 and 9, padding is 1, the mask 24
SAMPLE = {
    "net_input": {"src_tokens": torch.tensor([[0, 4, 5, 6, 24, 2], [0, 6, 24, 2, 1, 1]])},
    "target": torch.tensor([[1, 1, 1, 1, 7, 1], [1, 1, 5, 1, 1, 1]]),
    "ntokens": 6,
    "nsentences": 2,
}


class Run:
    """A tiny model that takes steps with a criterion in this process, as the trainer does."""

    def __init__(self, tmp_path, align_weight=1.0, optimizer=AdamW, **settings):
        dictionary = Dictionary()
        for piece in PIECES:
            dictionary.add_symbol(piece)
        pair = lexicon.Entry((PIECES[4],), (PIECES[5],))
        lexicon.write(tmp_path / "lexicon.tsv", [pair], dictionary)
        cfg = AlignMlmTaskConfig(data=str(tmp_path), langs="en", **settings)
        cfg.seed, cfg.fp16, cfg.amp = 1, False, False  # those that follow another setting
        self.task = AlignMlmTask(OmegaConf.structured(cfg), dictionary)
        args = Namespace(encoder_layers=LAYERS, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2)
        args.max_positions, args.dropout, args.attention_dropout, args._name = 12, 0.0, 0.0, "roberta"
        base_architecture(args)
        torch.manual_seed(1)
        self.model = self.task.build_model(args)
        self.criterion = AlignMlmLoss(self.task, str(tmp_path / "lexicon.tsv"), align_weight=align_weight)
        cfg = OmegaConf.structured(AdamWConfig(lr=[0.01], weight_decay=0.1))
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = optimizer(cfg, trained)

    def step(self, number: int) -> None:
        self.optimizer.zero_grad()
        self.task.train_step(SAMPLE, self.model, self.criterion, self.optimizer, number)
        self.task.optimizer_step(self.optimizer, self.model, number)

    def changed(self, steps: int = 3) -> set[str]:
        """Names of the parameters that steps change in any bit."""
        before = copy.deepcopy(dict(self.model.named_parameters()))
        for number in range(steps):
            self.step(number)
        return {name for name, value in self.model.named_parameters() if not torch.equal(value, before[name])}

    def named(self, *beginnings: str) -> set[str]:
        return {name for name, _ in self.model.named_parameters() if name.startswith(beginnings)}
