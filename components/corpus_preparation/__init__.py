"""Corpus preparation: reads, cleans and splits labelled text."""
