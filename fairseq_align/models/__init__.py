"""fairseq models: ``roberta_tagger``, RoBERTa with a label for every token."""
