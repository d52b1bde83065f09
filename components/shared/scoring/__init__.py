"""The bundle, and the filter that scores texts with it."""
