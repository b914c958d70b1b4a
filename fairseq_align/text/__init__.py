"""Text: raw text to sentences, to subwords, to token ids.

normalise, sentences    one line of text
parquet                 tables of Parquet and of Hugging Face's datasets
unspaced                text that has to be segmented first
corpus, bitext          a corpus folder; parallel text
subword, encoder        SentencePiece models; text in their pieces and ids
vocabulary              fairseq's ``Dictionary`` and its file ``dict.txt``
"""
