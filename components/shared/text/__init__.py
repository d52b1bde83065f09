"""Texts: what people and filters read in them."""
