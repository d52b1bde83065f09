"""Attack generation: a battle of evasion strategies against a serving filter."""
