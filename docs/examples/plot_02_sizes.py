"""How small may an image be
=========================

An image of S pixels a side is drawn of S values: the steps of a window are replaced by S means of
neighbours. This is *PAA*, piecewise aggregate approximation. Images of half the side are a
quarter of the bytes.
"""

import matplotlib.pyplot as plt

import dualgaf

day = dualgaf.SimulatedSource(n_windows=15, window_size=96).load().values[0][None, :1]

figure, grid = plt.subplots(1, 4, figsize=(9, 2.8), layout="constrained")
for axes, size in zip(grid, (96, 48, 24, 8), strict=True):
    image = dualgaf.dual_gaf(day, image_size=size)[0, 0, 0]
    axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(title=f"{size} pixels, {image.size} bytes", xticks=[], yticks=[])

# %%
# Bytes are those of ``dtype="uint8"``, one a pixel. The outlines of the day stay down to 24 pixels;
# what lasts shorter than a pixel is gone. ``train.py`` takes at most 64.
