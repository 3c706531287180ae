"""
Gramian angular fields in five minutes
======================================

A *window* is a piece of fixed length of a time series. A *Gramian angular field* turns it into a
picture, in which pixel (i, j) says how the steps i and j go together. dualgaf draws two of them
for each sensor, a GASF (the cosine of a sum of angles) and a GADF (the sine of a difference), and
trains a classifier on both.
"""

# %%
# One series, two pictures
# ------------------------
#
# Neighbouring steps are averaged down to the size of the picture (*PAA*), values are scaled to -1
# to 1, and each is taken as the cosine of an angle.

import lightning as L
import matplotlib.pyplot as plt
import numpy as np

import dualgaf

t = np.linspace(0, 4 * np.pi, 120)
x = np.stack([np.sin(t), np.sign(np.sin(t)), t + np.sin(3 * t)])[None]  # (N, C, T) = (1, 3, 120)
fields = dualgaf.dual_gaf(x, image_size=60)  # (N, 2, C, S, S): GASF first, then GADF
print(fields.shape)

figure, grid = plt.subplots(3, 3, figsize=(7, 6), layout="constrained")
for row, name, series, gasf, gadf in zip(
    grid, ("sine", "square", "trend"), x[0], *fields[0], strict=True
):
    row[0].plot(series, color="#1f4e79")
    row[0].set_title(name)
    for axes, image, title in ((row[1], gasf, "GASF"), (row[2], gadf, "GADF")):
        axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set(title=title, xticks=[], yticks=[])

# %%
# A GASF is the same on both sides of its diagonal, and on the diagonal it still holds the series.
# A GADF changes its sign there: it says which of two steps comes higher. That of the square wave
# is empty: its values are the two ends of the scale, whose angles are 180 degrees apart, and the
# sine of that is 0.

gasf, gadf = fields[0]
assert np.array_equal(gasf, gasf.swapaxes(-1, -2))
assert np.array_equal(gadf, -gadf.swapaxes(-1, -2))

# %%
# Real data
# ---------
#
# BasicMotions: what a smart watch measured while its wearer stood, walked, ran or played
# badminton, six channels. A *DataModule* of PyTorch Lightning reads it and draws all pictures
# once. Several channels are scaled by what is learned, so that a strong movement looks different
# from a weak one.

dm = dualgaf.DualGAFDataModule(dualgaf.ArchiveSource("BasicMotions"), batch_size=16, image_size=32)
dm.setup()
print(dm.n_channels, dm.class_names, dm.image_size)
batch = next(iter(dm.train_dataloader()))
for name, tensor in batch._asdict().items():
    print(f"{name:7} {tuple(tensor.shape)}")

# %%
# Train
# -----
#
# Any LightningModule can take this DataModule; the one below comes with dualgaf. Its network has
# members that vote: one reads the pictures, the others the window itself. Five passes over the
# data keep this short.

L.seed_everything(0, verbose=False)
net = dualgaf.DualGAFNet(n_channels=dm.n_channels, num_classes=dm.num_classes)
model = dualgaf.DualGAFClassifier(net)
trainer = L.Trainer(
    max_epochs=5,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, datamodule=dm)
(scores,) = trainer.test(model, datamodule=dm, verbose=False)
print(f"right: {scores['test/acc']:.0%} of the test windows")
dm.close()

# %%
# Where next
# ----------
#
# The same with checkpoints, early stopping, logs and a page of the run: ``python train.py``. Your
# own arrays: ``DualGAFDataModule.from_arrays(train=(x, y), ...)``. CSV files of a plant: ``python
# train.py data=ahu data.root=FOLDER``.
