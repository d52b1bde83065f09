"""The sizes that every stage and the predictor agree on; imports nothing, so that serving needs no table library."""

#: Characters (code points) in one text; a text has at least one.
MAX_TEXT_LENGTH = 5_000
