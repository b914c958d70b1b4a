"""Hugging Face's ``Bert*`` with a tokenizer of SentencePiece's unigrams: multilingual MiniLM, multilingual E5.

What it computes is RoBERTa's, but for three things, which ``forms`` knows: positions are numbered from 0, whatever the
padding symbol; a row of segments is added to every token; a sequence classifier's dense layer is the pooler.

Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805; the classes of transformers.
"""

from fairseq_align.huggingface.architecture import HEAD_NAME
from fairseq_align.huggingface.forms import Form

BERT = Form(
    model_type="bert",
    classes={
        "masked_lm": "BertForMaskedLM",
        "tagger": "BertForTokenClassification",
        "classifier": "BertForSequenceClassification",
    },
    encoder="bert",
    heads={
        "masked_lm": {
            "encoder.lm_head.dense": "cls.predictions.transform.dense",
            "encoder.lm_head.layer_norm": "cls.predictions.transform.LayerNorm",
        },
        "tagger": {"tagging_head.out_proj": "classifier"},
        "classifier": {
            f"classification_heads.{HEAD_NAME}.dense": "bert.pooler.dense",
            f"classification_heads.{HEAD_NAME}.out_proj": "classifier",
        },
    },
    bias="cls.predictions.bias",
    decoder="cls.predictions.decoder",
    first_position=0,
    left_out=("cls.seq_relationship",),  # of pre-training by next sentences
)
