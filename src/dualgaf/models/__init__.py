"""DualGAFNet, its parts, and the LightningModule around it; independent of ``dualgaf.data``."""
