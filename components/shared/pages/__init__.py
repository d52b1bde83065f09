"""HTML pages: their frame, and how they show figures and texts."""
