"""Registry promotion: gates, and the aliases that say which filter serves."""
