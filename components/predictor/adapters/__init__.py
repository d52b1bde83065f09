"""Other services' APIs in front of the same filter, so that their clients only change an address; off by default."""
