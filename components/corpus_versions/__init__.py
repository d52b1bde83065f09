"""Versions of corpora: kept by their content, restored, and texts taken out of all of them on request."""
