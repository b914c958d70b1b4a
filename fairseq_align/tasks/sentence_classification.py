"""Task ``sentence_classification``: fairseq's ``sentence_prediction`` for an encoder that is trained in parts."""

from dataclasses import dataclass

from fairseq.tasks import register_task
from fairseq.tasks.sentence_prediction import SentencePredictionConfig, SentencePredictionTask

from fairseq_align import ranges
from fairseq_align.training.parts import PartsConfig, PartsTask


@dataclass
class SentenceClassificationTaskConfig(PartsConfig, SentencePredictionConfig):
    pass


@register_task("sentence_classification", dataclass=SentenceClassificationTaskConfig)
class SentenceClassificationTask(PartsTask, SentencePredictionTask):
    """A class for every sentence or pair of sentences, of data as ``sentence_prediction`` reads them.

    Frozen parts, rates by layer and ``--autocast`` are added; without them the training is that of
    ``sentence_prediction`` to the bit. The criterion and the head are fairseq's.
    """

    cfg: SentenceClassificationTaskConfig

    def __init__(self, cfg: SentenceClassificationTaskConfig, data_dictionary, label_dictionary):
        ranges.check(SentenceClassificationTaskConfig, cfg)
        super().__init__(cfg, data_dictionary, label_dictionary)
