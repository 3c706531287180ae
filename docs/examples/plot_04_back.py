"""From images back to the signal
==============================

Nothing is lost in a pair of images but what the pixels round away: the signal can be computed
from them. From the GASF alone it cannot, for a signal and its mirror image have the same one.
"""

import matplotlib.pyplot as plt
import numpy as np

import dualgaf

x = np.cumsum(np.random.default_rng(3).normal(size=(1, 1, 60)), axis=-1)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(x[0, 0], color="#777777", linewidth=4, label="signal")
for storage, colour in (("float32", "#1f4e79"), ("uint8", "#b3001b")):
    fields = dualgaf.dual_gaf(x, dtype=storage)
    back = dualgaf.dual_gaf_inverse(
        fields[:, 0], fields[:, 1], original_range=(x.min(-1), x.max(-1))
    )
    axes.plot(back[0, 0], color=colour, linewidth=1, label=f"from images of {storage}")
    print(f"{storage}: off by {np.abs(back - x).max():.5f} of {np.ptp(x):.2f}")
axes.legend()
