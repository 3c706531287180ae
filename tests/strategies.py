"""Hypothesis strategies: series that are likely to break an image."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

finite = st.floats(-1e6, 1e6, allow_nan=False, width=64)


@st.composite
def windows(draw, max_steps: int = 24):
    """(N, C, T) float64 with small N and C; now and then constant or on a large offset."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(2, max_steps)))
    x = draw(hnp.arrays(np.float64, shape, elements=finite))
    x[abs(x) < 1e-300] = 0.0  # what changes below 2.2e-308 is refused
    kind = draw(st.sampled_from(["as drawn", "constant", "offset", "steps"]))
    if kind == "constant":
        x[:] = x[:, :, :1]
    elif kind == "offset":
        x = 1e5 + x / 1e6
    elif kind == "steps":
        x = np.sign(x)
    return x
