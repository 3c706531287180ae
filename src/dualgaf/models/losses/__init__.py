"""Losses, their settings, weights of classes."""
