"""A byte a pixel
==============

Pixels are numbers from -1 to 1. They are kept as one of 255 levels (``uint8``), a quarter of the
memory of ``float32``. Below is a window, drawn and kept both ways, and how far both are apart.
"""

import matplotlib.pyplot as plt
import numpy as np

import dualgaf

day = dualgaf.SimulatedSource(n_windows=15, window_size=96).load().values[4][None, :1]
exact = dualgaf.dual_gaf(day, image_size=48)[0, 0, 0]
levels = dualgaf.dual_gaf(day, image_size=48, dtype="uint8")[0, 0, 0]
read = (levels.astype(float) - 128) / 127
print(f"{exact.nbytes} and {levels.nbytes} bytes; off by {np.abs(read - exact).max():.4f} at most")

figure, grid = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
shown = (("float32", exact, 1), ("uint8", read, 1), ("difference", read - exact, 0.004))
for axes, (title, image, most) in zip(grid, shown, strict=True):
    picture = axes.imshow(image, cmap="RdBu_r", vmin=-most, vmax=most)
    axes.set(title=title, xticks=[], yticks=[])
    figure.colorbar(picture, ax=axes, shrink=0.7)
