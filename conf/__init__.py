"""Makes the folder a package, so that the wheel carries it as ``dualgaf.conf``."""
