"""Writes docs/kernel.md and its pictures: how a window becomes a GASF and a GADF, number by number.

    python docs/show_kernel.py

A test compares the page with what this program makes.
"""

import re
import textwrap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualgaf import SimulatedSource, dual_gaf
from dualgaf.imaging.paa import paa_edges
from dualgaf.imaging.packing import LEVELS, decode, encode

Array = npt.NDArray[Any]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "kernel.md"
WINDOW = np.array([20.0, 20.5, 21.5, 23.0, 24.0, 24.0, 23.5, 22.5, 21.0, 20.5, 22.0, 23.5])
SIDE = 6
STORED = ("uint8", "uint16", "float16", "float32")
BLUE, RED, GREY = "#1f4e79", "#b3001b", "#777777"


def steps() -> dict[str, Array]:
    """Each stage of the example in float64."""
    edges = paa_edges(len(WINDOW), SIDE)
    means = np.array([WINDOW[a:b].mean() for a, b in pairwise(edges)])
    x = (means - means.min()) / (means.max() - means.min())
    phi = np.arccos(x)
    found = {
        "edges": edges,
        "means": means,
        "x": x,
        "phi": phi,
        "gasf": np.cos(phi[:, None] + phi[None, :]),
        "gadf": np.sin(phi[:, None] - phi[None, :]),
    }
    drawn = dual_gaf(WINDOW[None, None], image_size=SIDE, feature_range=(0, 1))[0, :, 0]
    assert np.abs(drawn[0] - found["gasf"]).max() < 1e-6
    assert np.abs(drawn[1] - found["gadf"]).max() < 1e-6
    return found


def errors() -> dict[str, Array]:
    """By how much each pixel of 200 simulated windows is off, by type of storage."""
    days = SimulatedSource(n_windows=200, window_size=48, seed=0).load()
    windows = np.concatenate(
        [day[:, : len(day[0]) // 48 * 48].reshape(12, -1, 48) for day in days.values], axis=1
    ).swapaxes(0, 1)
    fields = dual_gaf(windows.astype(np.float64), image_size=24)
    return {kind: np.abs(decode(encode(fields, kind)) - fields) for kind in STORED}


def page() -> str:
    """The text of docs/kernel.md."""
    found, off = steps(), errors()
    x, phi = found["x"], found["phi"]
    low, high = found["means"].min(), found["means"].max()
    i, j = 1, 3
    s = np.sqrt(1 - x**2)
    pixel = found["gasf"][i, j], found["gadf"][i, j]
    value, n = pixel[0], LEVELS["uint8"]
    code = int(encode(np.float32([value]), "uint8")[0])
    n_pixels = 2 * 64 * 64
    rows = [
        f"| `{kind}` | {np.dtype(kind).itemsize * n_pixels / 1024:g} KiB | {worst(kind)} "
        f"| {off[kind].max():.1e} | {off[kind].mean():.1e} |"
        for kind in STORED
    ]
    text = f"""# From a window to two images

Made by `python docs/show_kernel.py`, numbers and pictures; a test compares this page
with what that
program makes.

A *Gramian angular field* is a picture of a series in which every pixel compares two
moments of it.
Here is one made by hand. A *window* is a piece of fixed length of a series, here {len(WINDOW)}
values of one temperature in °C, of {WINDOW.min():g} to {WINDOW.max():g}:

```text
{listed(WINDOW, 1)}
```

![Four panels: the window with its means, the angles, the GASF and the GADF](kernel_steps.png)

## 1. Means of neighbours

An image of {SIDE} pixels a side needs {SIDE} values. The {len(WINDOW)} steps are cut into {SIDE}
segments, and each is replaced by its mean. This is *PAA*, piecewise aggregate approximation:

```text
{listed(found["means"], 2)}
```

Where {SIDE} does not divide the number of steps, segments are uneven: 10 steps in 4
segments begin at
{", ".join(str(edge) for edge in paa_edges(10, 4)[:-1])}. With as many pixels as steps nothing is
averaged.

## 2. To a scale of 0 to 1

The lowest mean, {low:g}, becomes 0, the highest, {high:g}, becomes 1:

```text
{listed(x, 3)}
```

Lowest and highest of what? With `scaling=window`, as here, of this window: every window
then fills the
scale, and its level is lost. With `scaling=train`, which is what several channels get,
of all windows
that are learned: a warm day stays above a cold one, and what goes beyond is drawn as the
edge. One
channel alone gets `scaling=window` and a scale of -1 to 1, as in the package pyts.

## 3. A value is an angle

Each value is taken as the cosine of an angle φ, so φ = arccos(x): 1 becomes 0°, 0 becomes 90°.

```text
{listed(np.degrees(phi), 1)}
```

The second panel shows them as a clock does: the angle is the value, and the distance
from the middle is
the time. On this *polar* picture nothing is lost: the angles give the values back, and
the distances their order.

## 4. Two angles are a pixel

Row i and column j of the images are two of the {SIDE} values, with their angles:

- *GASF*, the summation field, is cos(φᵢ + φⱼ).
- *GADF*, the difference field, is sin(φᵢ - φⱼ).

Row {i} and column {j}, with {np.degrees(phi[i]):.1f}° and {np.degrees(phi[j]):.1f}°: the GASF has
cos({np.degrees(phi[i] + phi[j]):.1f}°) = {pixel[0]:.3f}, the GADF
sin({np.degrees(phi[i] - phi[j]):.1f}°) = {pixel[1]:.3f}. All of them:

```text
GASF
{matrix(found["gasf"])}

GADF
{matrix(found["gadf"])}
```

A GASF is the same on both sides of its diagonal, and on the diagonal it is 2x² - 1: the
series itself
can be read there. It is 1 where both values are highest, and -1 where both are lowest. A GADF
changes its sign across the diagonal, which is 0. Above the diagonal, where the column's
step is the
later one, it is above 0 where the series rises from the row's step to the column's.
Together they say
which two moments go together and which way it went, for all pairs at once;
`dual_gaf_inverse` gets the
values back from them.

## 5. Without an angle

No arccos is computed. With s = √(1 - x²), which is the sine of the angle,

- cos(φᵢ + φⱼ) = xᵢ xⱼ - sᵢ sⱼ,
- sin(φᵢ - φⱼ) = sᵢ xⱼ - xᵢ sⱼ.

Above: x is {x[i]:.3f} and {x[j]:.3f}, s is {s[i]:.3f} and {s[j]:.3f}, so the GASF is
{x[i] * x[j] - s[i] * s[j]:.3f} and the GADF {s[i] * x[j] - x[i] * s[j]:.3f}, as before. That is
two multiplications and a subtraction a pixel, in which the speed of the memory is the limit
([performance](performance.md)). `src/dualgaf/imaging/kernel.py` is this line in a loop.

## 6. What a byte a pixel costs

A pixel is a number from -1 to 1. It is stored as a byte, one of 255 levels: `uint8`.
{value:.4f} becomes round({value:.4f} x {n}) + {n + 1} = {code}, and is read back as
({code} - {n + 1}) / {n} = {(code - n - 1) / n:.4f}. Zero is a level
of its own, so a GADF keeps its zero diagonal. A channel with both fields of 64 x 64
pixels, and by how
much its pixels are off, of all there are (*bound*) and of 200 windows of the simulated
air-handling unit:

| storage | a channel takes | bound | largest | mean |
|---|---:|---:|---:|---:|
{chr(10).join(rows)}

![How far pixels are off; a GASF as a float, as bytes, and the difference](kernel_storage.png)

Bytes are the default; `datamodule.storage=float32` is there for those who want to
compare. A network
sees floats in [-1, 1] in any case.

Next: [the walk through the code](architecture.md), [where images lie and how they are
stored](store-format.md), [what it costs in memory](memory.md).
"""
    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("```") else flowed(part) for part in parts)


def flowed(text: str) -> str:
    """Paragraphs in lines of 110 letters; lists, tables and pictures as they are."""
    paragraphs = text.split("\n\n")
    fill = textwrap.TextWrapper(110, break_long_words=False, break_on_hyphens=False).fill
    return "\n\n".join(
        part if part.lstrip()[:1] in ("", "-", "|", "!", "#") else _filled(part, fill)
        for part in paragraphs
    )


def _filled(part: str, fill: Callable[[str], str]) -> str:
    start, end = "\n" * part.startswith("\n"), "\n" * part.endswith("\n")
    return start + fill(" ".join(part.split())) + end


def worst(kind: str) -> str:
    """The largest error that a type can have."""
    if kind in LEVELS:
        return f"{0.5 / LEVELS[kind]:.1e}"
    return "0" if kind == "float32" else f"{np.finfo(kind).eps / 4:.1e}"


def listed(values: Array, digits: int) -> str:
    """Numbers in a row."""
    return "  ".join(f"{value:.{digits}f}" for value in values)


def matrix(field: Array) -> str:
    """Numbers in rows."""
    return "\n".join("  ".join(f"{value + 0.0:6.3f}" for value in row) for row in field)


def draw_steps(path: Path) -> None:
    """The four stages of the example."""
    found = steps()
    figure = Figure(figsize=(9.5, 7.4), layout="constrained")
    line = figure.add_subplot(2, 2, 1)
    line.plot(WINDOW, "o-", color=GREY, markersize=4, linewidth=1, label="window")
    for (a, b), mean in zip(pairwise(found["edges"]), found["means"], strict=True):
        label = "means (PAA)" if a == 0 else None
        line.plot([a - 0.4, b - 0.6], [mean, mean], color=BLUE, linewidth=3, label=label)
    line.set(title="1. window and means", xlabel="step", ylabel="°C")
    line.legend(fontsize=8)
    polar = figure.add_subplot(2, 2, 2, projection="polar")
    radius = 1 + np.arange(SIDE)
    polar.plot(found["phi"], radius, "o-", color=BLUE, linewidth=1.2)
    for k in range(SIDE):
        polar.annotate(f"  {k}", (found["phi"][k], radius[k]), fontsize=8, color=RED)
    polar.set_thetamax(180)
    polar.set_yticklabels([])
    polar.set_title("3. value as angle, time as distance")
    for place, name, title in (
        (3, "gasf", "4. GASF  cos(φᵢ + φⱼ)"),
        (4, "gadf", "4. GADF  sin(φᵢ - φⱼ)"),
    ):
        _draw_field(figure.add_subplot(2, 2, place), found[name], title)
    figure.savefig(path, dpi=100)


def _draw_field(axes: Axes, field: Array, title: str) -> None:
    axes.imshow(field, cmap="RdBu_r", vmin=-1, vmax=1)
    for i in range(len(field)):
        for j in range(len(field)):
            ink = "white" if abs(field[i, j]) > 0.6 else "black"
            axes.text(
                j, i, f"{field[i, j] + 0.0:.2f}", ha="center", va="center", color=ink, fontsize=8
            )
    axes.set(title=title, xlabel="column j", ylabel="row i")


def draw_storage(path: Path) -> None:
    """Errors by type; one image as it is, stored, and how both differ."""
    off = errors()
    series = SimulatedSource(n_windows=5, window_size=96, seed=1).load().values[2][None, :1]
    exact = dual_gaf(series.astype(np.float64), image_size=64)[0, 0, 0]
    stored = decode(encode(exact, "uint8"))
    figure = Figure(figsize=(9.5, 6.4), layout="constrained")
    (axes, first), (second, third) = figure.subplots(2, 2)
    bins = np.logspace(-9, -2, 90)
    for kind, colour in zip(STORED[:3], (BLUE, GREY, RED), strict=True):
        axes.hist(off[kind].ravel() + 1e-12, bins=bins, histtype="step", color=colour, label=kind)
    axes.set_xscale("log")
    axes.set(title="how far pixels are off", xlabel="error", ylabel="pixels")
    axes.legend(fontsize=8, loc="upper left")
    for own, field, title, most in (
        (first, exact, "GASF as float32", 1),
        (second, stored, "GASF as uint8", 1),
        (third, stored - exact, "difference", 0.5 / LEVELS["uint8"]),
    ):
        image = own.imshow(field, cmap="RdBu_r", vmin=-most, vmax=most)
        own.set(title=title, xticks=[], yticks=[])
        figure.colorbar(image, ax=own, shrink=0.8)
    figure.savefig(path, dpi=100)


def main() -> None:
    """Write the page and its pictures."""
    PAGE.write_text(page())
    draw_steps(DOCS / "kernel_steps.png")
    draw_storage(DOCS / "kernel_storage.png")


if __name__ == "__main__":
    main()
