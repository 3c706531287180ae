"""What stands in docs/trust.md: `python -m benchmarks.trust`."""
