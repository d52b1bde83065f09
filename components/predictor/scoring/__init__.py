"""From texts to scores and verdicts: queue, batches, cache, explanations."""
