"""Pipelines over the components, the local runner and the command line."""
