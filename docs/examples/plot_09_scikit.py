"""Images for scikit-learn
=======================

``DualGAFTransformer`` gives the images as rows of numbers to any estimator. Here a linear model
learns them; its weights are an image, too: which pairs of moments speak for a class.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from dualgaf.sklearn import DualGAFTransformer

random = np.random.default_rng(0)
y = np.repeat(["rises", "falls"], 40)
ramp = np.linspace(-1, 1, 32)
x = np.where((y == "rises")[:, None], ramp, -ramp) + 0.6 * random.normal(size=(80, 32))
order = random.permutation(80)
train, test = order[:50], order[50:]

model = make_pipeline(DualGAFTransformer(image_size=16), LogisticRegression(C=0.01))
model.fit(x[train], y[train])
print(f"right: {model.score(x[test], y[test]):.0%} of {len(test)} windows")

weights = model[-1].coef_.reshape(2, 16, 16)
most = np.abs(weights).max()
figure, grid = plt.subplots(1, 2, figsize=(6.5, 3), layout="constrained")
for axes, image, title in zip(grid, weights, ("GASF", "GADF"), strict=True):
    axes.imshow(image, cmap="PuOr", vmin=-most, vmax=most)
    axes.set(title=f"weights of the {title}", xticks=[], yticks=[])

# %%
# The GASF says nothing of the direction of time, so its weights are small: the GADF decides.
