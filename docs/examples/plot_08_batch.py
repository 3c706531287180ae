"""What a training step sees
=========================

A *batch* is a handful of windows that a network learns from at once. dualgaf's DataModule draws
the images of all windows once, and hands out batches of four tensors.
"""

import matplotlib.pyplot as plt
import numpy as np

import dualgaf

random = np.random.default_rng(0)
y = random.choice(["slow", "fast"], size=40)
pace = np.where(y == "fast", 0.6, 0.25)[:, None]
x = np.sin(pace * np.arange(48) + random.uniform(0, 6, size=(40, 1)))[:, None]

dm = dualgaf.DualGAFDataModule.from_arrays(
    train=(x[:30], y[:30]), val=(x[30:], y[30:]), batch_size=8, image_size=24
)
dm.setup("fit")
batch = next(iter(dm.train_dataloader()))
for name, tensor in batch._asdict().items():
    print(f"{name:7} {tuple(tensor.shape)}")

figure, grid = plt.subplots(2, 8, figsize=(11, 3.2), layout="constrained")
for column, gasf, gadf, label in zip(grid.T, batch.gasf, batch.gadf, batch.label, strict=True):
    for axes, image in zip(column, (gasf, gadf), strict=True):
        axes.imshow(image[0], cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set(xticks=[], yticks=[])
    column[0].set_title(dm.class_names[label])
dm.close()
