"""Models to Hugging Face's transformers and back: weights, vocabulary, tokenizer and a model card.

``convert.export`` writes a checkpoint for transformers, ``convert.import_model`` a model of transformers for fairseq.
``adapters.ADAPTERS`` has a row for each architecture of transformers.
"""

UNKNOWN_LANG = "und"  # ISO 639 for undetermined
