"""The Reader: restores words that were misspelt, split, joined or written with other signs, by a lexicon.

It reads canonical text, after canonical.py, and before the tokenizer. What language it reads lies in its lexicon alone.
"""
