"""The Kubernetes API as far as a rollout needs it: client, lease, pod failures, spec differences."""
