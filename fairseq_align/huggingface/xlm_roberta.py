"""Hugging Face's ``XLMRoberta*``, whose tensors are fairseq's under other names."""

from fairseq_align.huggingface.architecture import HEAD_NAME, OFFSET
from fairseq_align.huggingface.forms import Form

XLM_ROBERTA = Form(
    model_type="xlm-roberta",
    classes={
        "masked_lm": "XLMRobertaForMaskedLM",
        "tagger": "XLMRobertaForTokenClassification",
        "classifier": "XLMRobertaForSequenceClassification",
    },
    encoder="roberta",
    heads={
        "masked_lm": {
            "encoder.lm_head.dense": "lm_head.dense",
            "encoder.lm_head.layer_norm": "lm_head.layer_norm",
        },
        "tagger": {"tagging_head.out_proj": "classifier"},
        "classifier": {
            f"classification_heads.{HEAD_NAME}.dense": "classifier.dense",
            f"classification_heads.{HEAD_NAME}.out_proj": "classifier.out_proj",
        },
    },
    bias="lm_head.bias",
    decoder="lm_head.decoder",
    first_position=OFFSET,
    fixed={"pad_token_id": 1},  # positions are numbered from it
)
