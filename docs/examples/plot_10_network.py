"""A network in four lines
=======================

``DualGAFNetClassifier`` has the ``fit`` and ``predict`` of scikit-learn. The network has members
that vote: one reads the images, the others the window itself. Few steps and a narrow network keep
this example short; without these options it is the recipe of the accuracy page.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from dualgaf.sklearn import DualGAFNetClassifier

random = np.random.default_rng(0)
y = random.choice(["leads", "follows", "alone"], size=90)
time = np.linspace(0, 12, 40) + random.uniform(0, 6, size=(90, 1))
shift = np.select([y == "leads", y == "follows"], [1.2, -1.2], 0)[:, None]
second = np.where((y == "alone")[:, None], random.normal(size=(90, 40)), np.sin(time - shift))
x = np.stack([np.sin(time), second], axis=1) + 0.3 * random.normal(size=(90, 2, 40))

model = DualGAFNetClassifier(max_steps=15, width=8, use_forest=False, random_state=0)
model.fit(x[:60], y[:60])
found = model.predict(x[60:])
print(f"right: {(found == y[60:]).mean():.0%} of 30 windows")
ConfusionMatrixDisplay.from_predictions(y[60:], found, cmap="Blues", colorbar=False)
plt.title("true class by row, found class by column")
