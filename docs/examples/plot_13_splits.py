"""Days stay whole
===============

Windows of one day resemble each other. Dealt out one by one, a test window has neighbours that
were learned, and a network looks better than it is. dualgaf deals out whole *groups*, here days.
"""

import matplotlib.pyplot as plt
import numpy as np

import dualgaf

source = dualgaf.SimulatedSource(n_windows=120, window_size=36, stride=18)
dm = dualgaf.DualGAFDataModule(source)
windows = dm.windows
splits = ("train", "val", "test")
days = list(dict.fromkeys(windows.groups))
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
for split, colour in zip(splits, ("#bbbbbb", "#777777", "#111111"), strict=True):
    own = windows.indices[split]
    at = np.array([days.index(windows.groups[row]) for row in own])
    rank = np.array([np.sum(at[:k] == day) for k, day in enumerate(at)])
    axes.scatter(at, rank, color=colour, s=14, marker="s", label=f"{split}: {len(own)} windows")
axes.set(xlabel="day", ylabel="window of the day")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
of_days = [{windows.groups[row] for row in windows.indices[split]} for split in splits]
print("days in two splits:", len(of_days[0] & of_days[1] | of_days[0] & of_days[2]))
dm.close()
