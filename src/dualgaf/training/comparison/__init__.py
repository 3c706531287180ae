"""`python -m dualgaf compare`: networks and methods without images on the same sets and splits."""
