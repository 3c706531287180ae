"""A messy table
=============

A file as a control system exports it: semicolons, decimal commas, a line above the header, days
before months, a row twice. What has one reading is read; what has two is asked.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import dualgaf
from dualgaf.errors import DualGAFError

lines = ["Export of AHU 3", "Datum;Zuluft [°C];Ventil [%];fault"]
for k in range(96):
    valve, label = (80.0, "stuck") if k >= 48 else (50 + 30 * np.sin(k / 6), "normal")
    time = f"{13 + k // 48:02}.02.2026 {k % 48 // 2:02}:{k % 2 * 30:02}"
    row = f"{time};{20 + np.cos(k / 6):.1f};{valve:.1f};{label}".replace(".", ",")
    lines.append(row.replace(",02,2026", ".02.2026"))
lines.insert(10, lines[10])

folder = tempfile.TemporaryDirectory()
week = Path(folder.name, "plant", "week.csv")
week.parent.mkdir()
week.write_text("\n".join(lines) + "\n")
split = {"method": "group", "val_fraction": 0, "test_fraction": 0}
source = dualgaf.TableSource(week.parent, window_size=12, split=split)
print(dualgaf.inspect_source(source, seed=0))

# %%
# The same with a number that often means that there is no value:

week.write_text("\n".join(lines).replace("20,9", "-9999,0") + "\n")
try:
    source.load()
except DualGAFError as error:
    print(error)
week.write_text("\n".join(lines) + "\n")

# %%
# What is read, with its classes:

series = source.load()
figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
for values, times, labels in zip(series.values, series.times, series.labels, strict=True):
    colour = "#b3001b" if "stuck" in str(labels) else "#1f4e79"
    axes.plot(times, values[1], color=colour, label=str(labels))
axes.set_ylabel("Ventil [%]")
axes.legend()
folder.cleanup()
