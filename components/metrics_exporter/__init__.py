"""Long-running exporter: what the stages leave in MLflow, as Prometheus metrics."""
