"""In the place of pyts
====================

``dualgaf.pyts.GramianAngularField`` has the signature of the class of that name in pyts 0.14.1,
and gives the same numbers to 1e-6. ``dual_gaf`` draws both fields of all channels in one call.
"""

import matplotlib.pyplot as plt
import numpy as np

import dualgaf
from dualgaf.pyts import GramianAngularField

x = np.sin(np.linspace(0, 20, 144))[None] + np.linspace(0, 1, 144)  # (1, 144)
one = GramianAngularField(image_size=24, method="difference").fit_transform(x)
both = dualgaf.dual_gaf(x[:, None], image_size=24)
assert np.array_equal(one[0], both[0, 1, 0])

figure, grid = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
grid[0].plot(x[0], color="#1f4e79")
for axes, image, title in zip(grid[1:], both[0, :, 0], ("GASF", "GADF"), strict=True):
    axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(title=title, xticks=[], yticks=[])
