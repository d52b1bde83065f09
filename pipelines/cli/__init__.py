"""The command line arena."""
