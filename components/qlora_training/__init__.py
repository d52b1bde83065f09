"""QLoRA training of a challenger, and its export to a bundle that needs no torch."""
