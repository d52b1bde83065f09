"""Limits that all stages and the predictor share. Nothing is imported here: serving needs no table library."""

#: Most characters (code points) of a text; the least is 1.
MAX_TEXT_LENGTH = 5_000
