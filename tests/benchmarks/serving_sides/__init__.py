"""Servers that the predictor is compared with, each a module that is run in a process of its own."""
