"""What a comparison of models found, as documents."""
