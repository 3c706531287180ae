"""Units in which a channel may be read by mistake, and what its numbers would be in another."""

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_SPELLINGS = {
    "°C": "c degc celsius °c ºc deg_c",
    "°F": "f degf fahrenheit °f ºf deg_f",
    "K": "k kelvin",
    "%": "% percent pct",
    "fraction": "fraction 0-1 1",
    "Pa": "pa",
    "hPa": "hpa mbar",
    "kPa": "kpa",
    "bar": "bar",
    "psi": "psi psig",
    "inH2O": "inh2o inwc inwg in.w.c. in_h2o iwc",
    "W": "w",
    "kW": "kw",
    "l/s": "l/s lps",
    "gpm": "gpm",
    "m3/h": "m3/h m³/h cmh",
    "cfm": "cfm ft3/min",
    "m/s": "m/s",
    "ft/min": "ft/min fpm",
}
_KNOWN = {text: unit for unit, texts in _SPELLINGS.items() for text in texts.split()}


class Reading(NamedTuple):
    """Numbers in one unit, where another was learned: ``learned = number * scale + offset``."""

    unit: str
    """What the numbers may be in."""
    learned: str
    """What the network has learned."""
    scale: float
    offset: float = 0.0

    def convert(self, values: Array) -> Array:
        """In the unit that was learned."""
        return values * self.scale + self.offset


_PAIRS = (
    Reading("°C", "°F", 1.8, 32.0),
    Reading("K", "°C", 1.0, -273.15),
    Reading("K", "°F", 1.8, -459.67),
    Reading("fraction", "%", 100.0),
    Reading("kPa", "Pa", 1000.0),
    Reading("hPa", "Pa", 100.0),
    Reading("kPa", "hPa", 10.0),
    Reading("bar", "kPa", 100.0),
    Reading("psi", "kPa", 6.894757),
    Reading("psi", "Pa", 6894.757),
    Reading("bar", "psi", 14.503774),
    Reading("inH2O", "Pa", 249.08891),
    Reading("kW", "W", 1000.0),
    Reading("l/s", "gpm", 15.850323),
    Reading("l/s", "cfm", 2.11888),
    Reading("cfm", "m3/h", 1.699011),
    Reading("m/s", "ft/min", 196.850394),
)
READINGS = (
    *_PAIRS,
    *(Reading(p.learned, p.unit, 1 / p.scale, -p.offset / p.scale) for p in _PAIRS),
)
"""Both ways."""


def plain_unit(text: str | None) -> str | None:
    """A unit as it is called here; None for one that is not known.

    Example:
        >>> [plain_unit(text) for text in ("degF", "deg C", "°F", "inch w.c.", None)]
        ['°F', '°C', '°F', None, None]
    """
    return None if text is None else _KNOWN.get(re.sub(r"\s+", "", text.lower()))


def readings_into(learned: str | None) -> Array:
    """(R,) bool: which of `READINGS` numbers may have been read in.

    Args:
        learned: the unit of the training, if it is known: only units of its kind are tried then.

    Example:
        >>> [one.unit for one, may in zip(READINGS, readings_into("degF")) if may]
        ['°C', 'K']
    """
    known = plain_unit(learned)
    return np.array([known is None or reading.learned == known for reading in READINGS])
