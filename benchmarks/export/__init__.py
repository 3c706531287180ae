"""Trained networks as files: docs/export.md."""
