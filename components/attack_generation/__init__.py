"""Attack generation: battles of evasion strategies against a filter."""
