"""A run, from a configuration to `metrics.json`."""
