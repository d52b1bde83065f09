"""Speed, each figure beside the one it is compared with; ``make bench`` runs them all. Nothing is asserted."""
