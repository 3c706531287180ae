"""Five states of a plant
======================

A simulated *air-handling unit*, which heats and cools air for a building: one day as it should
be, and four with a fault. Shown is the valve of the heating coil, and the GADF of it.
"""

import matplotlib.pyplot as plt

import dualgaf

days = dualgaf.SimulatedSource(n_windows=15, window_size=288, seed=2).load()
channel = days.channel_names.index("hc_valve_sig")

figure, grid = plt.subplots(2, 5, figsize=(11, 4.4), layout="constrained")
for column, values, label in zip(grid.T, days.values[:5], days.labels[:5], strict=True):
    signal = values[None, channel : channel + 1]
    column[0].plot(signal[0, 0], color="#1f4e79", linewidth=1)
    column[0].set(title=label, ylim=(-0.05, 1.05))
    image = dualgaf.dual_gaf(signal, image_size=64, feature_range=(0, 1))[0, 1, 0]
    column[1].imshow(image, cmap="RdBu_r", vmin=-1, vmax=1)
    column[1].set(xticks=[], yticks=[])

# %%
# One sensor tells little, and each day has its own weather: a fault is a contradiction between
# sensors, which is what a network has to learn.
