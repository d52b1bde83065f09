"""Speed, each figure beside what it is to be compared with; ``make bench`` runs them all. Nothing is asserted."""
