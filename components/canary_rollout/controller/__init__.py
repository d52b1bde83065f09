"""The control loop: observe, decide, record, act; and the reconciliation of what a killed loop left."""
