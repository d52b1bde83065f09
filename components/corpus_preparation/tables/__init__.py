"""Tables of labelled texts, from wherever and in whatever format they are."""
