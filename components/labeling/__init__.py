"""Labeling: what an attack may be trained as, how sure that is, and what a person has to look at first."""
