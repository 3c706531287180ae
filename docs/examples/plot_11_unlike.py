"""What a network has never seen
=============================

A network names one of its classes for anything. So a prediction also says what in a window is
*unlike the training*: here somebody has set one sensor from °C to °F.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import dualgaf
from dualgaf.sklearn import DualGAFNetClassifier

random = np.random.default_rng(0)
y = np.tile(["day", "night"], 30)
level = np.where(y == "day", 22.0, 17.0)[:, None]
room = level + np.cumsum(0.1 * random.normal(size=(60, 36)), axis=1)
x = np.stack([room, 50 + random.normal(size=(60, 36))], axis=1)  # temperature, humidity

model = DualGAFNetClassifier(max_steps=5, width=8, use_forest=False, random_state=0)
model.fit(x[:50], y[:50])
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "model.ckpt")
    model.save(path)
    network = dualgaf.load(path)

new = x[50:].copy()
new[5:, 0] = 1.8 * new[5:, 0] + 32
found = network.predict(new)
for number, (name, how) in enumerate(zip(found.classes, found.unlike, strict=True)):
    print(number, name, "|", how)

figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
axes.axhspan(x[:50, 0].min(), x[:50, 0].max(), color="#dddddd", label="seen in training")
for number, window in enumerate(new[:, 0]):
    steps = np.arange(36) + 36 * number
    axes.plot(steps, window, color="#b3001b" if found.unlike[number] else "#1f4e79")
axes.set(xlabel="step", ylabel="temperature")
axes.legend()
