"""Bilingual dictionaries, called lexicons: fairseq's *dictionary* is the vocabulary.

wordlist, dictd, tei    forms of dictionary files; ``formats.READERS`` holds a reader for each suffix
languages               codes of languages: which are the same
build                   lexicons made of them, of derived vocabularies, of other lexicons; pairs held out
file, words             the file of a lexicon; its words and pairs as token ids
coverage, frequency     words of a lexicon in a text, and in binarized text
"""
