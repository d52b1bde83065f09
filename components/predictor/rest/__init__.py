"""KServe's REST server, its endpoints, and those for who runs it."""
