"""Bytes, shared and sealed. The store knows rows and types, nothing of images."""
