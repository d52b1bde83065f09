"""How a filter holds against perturbations it has never seen: frozen attacks of other people's packages."""
