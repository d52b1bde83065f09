"""The Reader: restores words that were misspelt, split, joined or written with digits and signs.

It comes after the canonicaliser and before the tokenizer. It knows a language only through its lexicon.
"""
