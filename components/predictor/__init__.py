"""Serves a bundle over HTTP with both KServe protocols."""
