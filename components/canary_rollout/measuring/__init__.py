"""What champion and challenger do: users' traffic from pods or Prometheus, and probes."""
