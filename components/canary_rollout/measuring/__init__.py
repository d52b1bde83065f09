"""Measures champion and challenger: users' traffic from pods or Prometheus, and probes."""
