"""fairseq tasks: ``align_mlm``, pre-training on several languages, and ``sequence_tagging``, a label for every word."""
