"""The stage promote_challenger and the exit task close_run."""
