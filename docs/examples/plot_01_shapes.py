"""What shapes look like
=====================

Four signals, each with its GASF and GADF. A *Gramian angular field* is an image of a signal in
which every pixel compares two moments: time runs to the right and down. Values are scaled to 0 to
1 and taken as cosines of angles a; the GASF is ``cos(a + b)``, the GADF ``sin(a - b)``.
"""

import matplotlib.pyplot as plt
import numpy as np

import dualgaf

step = np.arange(64)
signals = {
    "rhythm": np.sin(step / 4),
    "ramp": step / 63,
    "jump": (step > 30).astype(float),
    "noise": np.random.default_rng(0).normal(size=64),
}
x = np.stack(list(signals.values()))[:, None]  # (4, 1, 64): windows, channels, steps
fields = dualgaf.dual_gaf(x, feature_range=(0, 1))  # (4, 2, 1, 64, 64)

figure, grid = plt.subplots(4, 3, figsize=(7, 8), layout="constrained")
for name, row, series, images in zip(signals, grid, x[:, 0], fields[:, :, 0], strict=True):
    row[0].plot(series, color="#1f4e79")
    row[0].set_title(name)
    for axes, image, title in zip(row[1:], images, ("GASF", "GADF"), strict=True):
        axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set(title=title, xticks=[], yticks=[])

# %%
# A rhythm is a grid, a jump is a cross, and a ramp changes smoothly. The GADF of a ramp is above
# zero (red) on the right of the diagonal: from each row's moment to each later one the signal
# rises.
