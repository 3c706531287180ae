"""The level of a signal
=====================

Two rooms with the same rhythm, one at 20 °C and one at 28 °C. Where each window is scaled by its
own lowest and highest value, both have the same images, and no network can tell them apart. Where
all are scaled by what was learned, they differ.
"""

import matplotlib.pyplot as plt
import numpy as np

import dualgaf

time = np.linspace(0, 12, 48)
rooms = np.stack([20 + np.sin(time), 28 + np.sin(time)])[:, None]
by_window = dualgaf.dual_gaf(rooms)[:, 0, 0]
scaled = (rooms - rooms.min()) / (rooms.max() - rooms.min())
by_training = dualgaf.dual_gaf(scaled, scaling="none")[:, 0, 0]
print(f"difference by window: {np.abs(by_window[0] - by_window[1]).max():.3f}")
print(f"difference by training: {np.abs(by_training[0] - by_training[1]).max():.3f}")

figure, grid = plt.subplots(2, 2, figsize=(5.5, 5.5), layout="constrained")
for row, images, title in zip(
    grid, (by_window, by_training), ("by window", "by training"), strict=True
):
    for axes, image, room in zip(row, images, ("20 °C", "28 °C"), strict=True):
        axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set(title=f"{room}, {title}", xticks=[], yticks=[])

# %%
# The DataModule does the second for several signals (``scaling="train"``): it takes the lowest and
# the highest value of the training windows, never of those that are tested.
