"""The commands arena rollout ..."""
