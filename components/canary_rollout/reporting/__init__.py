"""What a rollout reports: Events, history, timeline page, Prometheus metrics."""
