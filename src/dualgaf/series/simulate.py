"""A built-in air-handling unit (AHU) with faults, for data of any size without a file.

Each simulated day (steps of 5 minutes, temperatures in deg F, signals and flow as fractions) is one
unit in one weather with one class. Weather, occupancy and set points come from the same
distributions for every class; a fault shows only as a difference of what is commanded and what
happens. For each step:

1. Weather and building: ``oat = mean + swing sin(2 pi (h - 9) / 24) + drift``;
   ``rat = 71 + 2 occ + 0.03 (oat - 60) + drift``; ``occ`` rises at about 6 h, falls at about 18 h.
2. Set point and fan: ``sat_sp = clip(60 - 0.1 (oat - 60), 55, 65) + offset``, the offset drawn
   for each day in -4 to 10, so that sound units heat as often as they cool;
   ``speed = 0.5 + 0.3 occ + drift``; ``flow = speed``; ``static = 1.6 speed^2`` (inch of water).
3. Economiser: where ``oat < rat - 2`` the damper command follows
   ``f = (rat - sat_sp + fan) / (rat - oat)``, else its minimum; it is kept in [minimum, 1] and
   moves half of the way a step. The return damper is commanded to ``1 - f``.
4. Mixing with the ACTUAL position p of the damper: ``mat = p oat + (1 - p) rat``.
5. Coils with the ACTUAL valves hc and cc, water of 140 and 45, coil constants k of the unit:
   ``target = mat + fan + (hc k_h (140 - mat) - cc k_c (mat - 45)) / g`` with
   ``g = (1 + flow) / 2`` and ``fan = 2 speed``; sat goes 45 % of the way to it a step (time
   constant 8 min).
6. A PI controller on the MEASURED sat: ``u = 0.012 e + sum of 0.008 e`` with ``e = sat_sp - sat``,
   both kept in [-1, 1]; heating command ``max(u, 0)``, cooling command ``max(-u, 0)``.

Faults, their size drawn anew each day: ``oa_damper_stuck``: p is 0, or 0.4 to 1, whatever is
commanded. ``cc_valve_stuck``: cc is 0.15 to 0.8. ``hc_valve_leak``: hc is at least 0.08 to 0.3.
``sat_sensor_bias``: measured sat is 2 to 6 deg F above or below the true one.

Sensors have noise of 0.2 deg F, and of 0.01 for flow and static pressure.
"""

from dataclasses import dataclass, field
from math import ceil

import numpy as np

from dualgaf.errors import ConfigError, check_whole, not_allowed
from dualgaf.series.arrays import Array
from dualgaf.series.contents import Contents
from dualgaf.series.lengths import check_ragged_rule
from dualgaf.series.missing import check_nan_policy
from dualgaf.series.series import Origin, SeriesSet
from dualgaf.series.source import check_window
from dualgaf.series.splits import SplitSettings

CLASSES = ("normal", "oa_damper_stuck", "cc_valve_stuck", "hc_valve_leak", "sat_sensor_bias")
CHANNELS = (
    "sat",
    "sat_sp",
    "oat",
    "mat",
    "rat",
    "sf_speed_sig",
    "sa_flow",
    "oa_damper_sig",
    "ra_damper_sig",
    "cc_valve_sig",
    "hc_valve_sig",
    "duct_static",
)
UNITS = {**dict.fromkeys(("sat", "sat_sp", "oat", "mat", "rat"), "degF"), "duct_static": "inH2O"}
"""Of the channels that have one; the others are fractions."""
STEPS_A_DAY = 288
_STEP_HOURS = 24 / STEPS_A_DAY
# Steps before midnight in which the controller settles; they are thrown away.
_WARM_UP = 36
# Days simulated at once: bounds the memory for noise, and large enough for NumPy.
_BLOCK_DAYS = 1024
_FIRST_DAY = np.datetime64("2001-01-01", "us")
_STEP = np.timedelta64(5, "m")


@dataclass(frozen=True)
class SimulatedSource:
    """Windows of a simulated air-handling unit, balanced over five classes.

    A class has three days or more as soon as there are 15 windows; small sets get more, shorter
    days, so that whole days can be dealt out to train, val and test.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> source = SimulatedSource(n_windows=20, seed=1)
        >>> days = source.load()
        >>> len(days), days.n_channels, sum(length // 96 for length in days.lengths)
        (15, 12, 20)
    """

    n_windows: int = 2000
    """Windows that come out, exactly; 5 and more."""
    window_size: int = 96
    """T, steps of 5 minutes in a window; above 288 a series is several days long."""
    stride: int | None = None
    """Steps between the starts of two windows of a day; None = ``window_size``."""
    seed: int = 0
    """The same seed gives the same bytes."""
    split: SplitSettings = field(default_factory=lambda: SplitSettings("group"))
    """How days are dealt out to train, val and test."""
    nan: str = "error"
    """Not used: no value is missing; here so that all sources have it."""
    noise: float = 1.0
    """Factor on the noise of the sensors; 0 = none."""
    n_units: int = 8
    """Units, each with its own coils and minimum of outdoor air."""
    ragged: str = "error"
    """Not used: windows have a size; here so that all sources have it."""

    def __post_init__(self) -> None:
        check_window(self.window_size, self.stride)
        for option, least, typed in (
            ("window_size", 2, 96),
            ("n_windows", len(CLASSES), 2000),
            ("seed", 0, 0),
            ("n_units", 1, 8),
        ):
            check_whole(f"data.{option}", getattr(self, option), least, typed)
        numeric = isinstance(self.noise, int | float) and not isinstance(self.noise, bool)
        if not numeric or not 0 <= self.noise < float("inf"):
            raise ConfigError(not_allowed("data.noise", self.noise, "0 and more", "data.noise=1.0"))
        check_nan_policy(self.nan)
        check_ragged_rule(self.ragged)
        object.__setattr__(self, "split", SplitSettings.of(self.split))

    @property
    def units(self) -> dict[str, str]:
        """The unit of each channel that has one."""
        return UNITS

    def contents(self) -> str:
        """Hash of the settings, on which every byte depends."""
        return Contents(self).hexdigest()

    def load(self) -> SeriesSet:
        """The simulated days, float32, one series each.

        Returns:
            Days whose windows are ``n_windows`` in all; group = unit and day.
        """
        stride = self.stride or self.window_size
        day_steps = ceil(self.window_size / STEPS_A_DAY) * STEPS_A_DAY
        most = (day_steps - self.window_size) // stride + 1
        n_days = max(ceil(self.n_windows / most), min(self.n_windows, 3 * len(CLASSES)))
        n_of_day = np.full(n_days, self.n_windows // n_days)
        n_of_day[: self.n_windows % n_days] += 1
        lengths = self.window_size + (n_of_day - 1) * stride
        rng = np.random.default_rng(self.seed)
        firsts = rng.integers(0, day_steps - lengths + 1)
        class_of_day = np.arange(n_days) % len(CLASSES)
        unit_of_day = np.arange(n_days) // len(CLASSES) % self.n_units
        units = _draw_units(rng, self.n_units)
        values: list[Array] = []
        for start in range(0, n_days, _BLOCK_DAYS):
            own = slice(start, start + _BLOCK_DAYS)
            block = _Days(rng, class_of_day[own], units[:, unit_of_day[own]], day_steps)
            steps = block.run(self.noise)
            values += [
                np.ascontiguousarray(day[:, first : first + length])
                for day, first, length in zip(steps, firsts[own], lengths[own], strict=True)
            ]
        names = [f"unit_{unit}" for unit in unit_of_day]
        begins = np.arange(n_days) * day_steps + firsts
        return SeriesSet(
            values=tuple(values),
            labels=tuple(CLASSES[index] for index in class_of_day),
            channel_names=CHANNELS,
            groups=tuple(f"{name}/day_{day}" for day, name in enumerate(names)),
            origins=tuple(
                Origin(name, int(begin)) for name, begin in zip(names, begins, strict=True)
            ),
            official=(None,) * n_days,
            name="simulated",
            times=tuple(
                _FIRST_DAY + _STEP * np.arange(begin, begin + length)
                for begin, length in zip(begins, lengths, strict=True)
            ),
        )


def _draw_units(rng: np.random.Generator, n_units: int) -> Array:
    """(3, n_units): minimum of outdoor air, constants of the heating and the cooling coil."""
    low, high = np.array([[0.15, 0.36, 0.78], [0.25, 0.44, 0.9]])
    return rng.uniform(low[:, None], high[:, None], (3, n_units))


class _Days:
    """A block of days that run side by side; every field is an array over days."""

    def __init__(
        self, rng: np.random.Generator, classes: Array, units: Array, day_steps: int
    ) -> None:
        n_days = len(classes)
        self._rng, self._n_steps = rng, day_steps + _WARM_UP
        self._minimum, self._heat, self._cool = units
        self._weather(n_days)
        # Every size is drawn for every day, so that a class does not change what comes after it.
        position = np.where(rng.random(n_days) < 0.25, 0.0, rng.uniform(0.4, 1.0, n_days))
        valve = rng.uniform(0.15, 0.8, n_days)
        leak = rng.uniform(0.08, 0.3, n_days)
        bias = rng.uniform(2.0, 6.0, n_days) * rng.choice([-1.0, 1.0], n_days)
        self._stuck_damper = np.where(classes == 1, position, np.nan)
        self._stuck_valve = np.where(classes == 2, valve, np.nan)
        self._leak = np.where(classes == 3, leak, 0.0)
        self._bias = np.where(classes == 4, bias, 0.0)

    def _weather(self, n_days: int) -> None:
        """oat, rat, set point and fan speed, each (steps, days): they do not feel the fault."""
        rng = self._rng
        hours = ((np.arange(self._n_steps) - _WARM_UP) * _STEP_HOURS % 24)[:, None]
        mean, swing = rng.uniform(25.0, 88.0, n_days), rng.uniform(4.0, 12.0, n_days)
        offset = rng.uniform(-4.0, 10.0, n_days)
        rise, fall = rng.normal(6.0, 0.5, n_days), rng.normal(18.0, 0.7, n_days)
        occupied = 1 / (1 + np.exp(-(hours - rise) / 0.3)) - 1 / (1 + np.exp(-(hours - fall) / 0.3))
        oat_drift, rat_drift, load_drift = self._drifts(3, n_days)
        self._oat = mean + swing * np.sin(2 * np.pi * (hours - 9) / 24) + 1.5 * oat_drift
        self._rat = 71 + 2 * occupied + 0.03 * (self._oat - 60) + 0.5 * rat_drift
        self._set_point = np.clip(60 - 0.1 * (self._oat - 60), 55, 65) + offset
        self._speed = np.clip(0.5 + 0.3 * occupied + 0.05 * load_drift, 0.3, 1.0)

    def _drifts(self, count: int, n_days: int) -> Array:
        """(count, steps, days) slow noise of deviation 1: an AR(1) of about 4 hours."""
        keep = 0.98
        white = self._rng.standard_normal((count, self._n_steps, n_days))
        drift = np.empty_like(white)
        drift[:, 0] = white[:, 0]
        for step in range(1, self._n_steps):
            drift[:, step] = keep * drift[:, step - 1] + (1 - keep**2) ** 0.5 * white[:, step]
        return drift

    def run(self, noise: float) -> Array:
        """(days, channels, steps) float32 without the warm-up."""
        n_days = len(self._bias)
        sat = self._set_point[0].copy()
        damper, integral = self._minimum.copy(), np.zeros(n_days)
        sats, mats, dampers, commands = np.empty((4, self._n_steps, n_days))
        # Noise of the sensor is part of what the controller sees, so it is drawn before the loop.
        blur = noise * self._rng.standard_normal((6, self._n_steps, n_days))
        for step in range(self._n_steps):
            oat, rat, set_point = self._oat[step], self._rat[step], self._set_point[step]
            speed, fan = self._speed[step], 2 * self._speed[step]
            measured = sat + self._bias + 0.2 * blur[0, step]
            error = set_point - measured
            integral = np.clip(integral + 0.008 * error, -1, 1)
            command = np.clip(0.012 * error + integral, -1, 1)
            damper += 0.5 * (self._economiser(oat, rat, set_point - fan) - damper)
            position = np.where(np.isnan(self._stuck_damper), damper, self._stuck_damper)
            mat = position * oat + (1 - position) * rat
            sats[step], mats[step], dampers[step], commands[step] = measured, mat, damper, command
            sat = sat + 0.45 * (self._target(mat, command, speed) + fan - sat)
        channels = (
            sats,
            self._set_point,
            self._oat + 0.2 * blur[1],
            mats + 0.2 * blur[2],
            self._rat + 0.2 * blur[3],
            self._speed,
            self._speed + 0.01 * blur[4],
            dampers,
            1 - dampers,
            np.maximum(-commands, 0),
            np.maximum(commands, 0),
            1.6 * self._speed**2 + 0.01 * blur[5],
        )
        days = np.empty((n_days, len(channels), self._n_steps - _WARM_UP), dtype=np.float32)
        for index, channel in enumerate(channels):
            days[:, index] = channel[_WARM_UP:].T
        return days

    def _economiser(self, oat: Array, rat: Array, wanted: Array) -> Array:
        free = oat < rat - 2
        fraction = (rat - wanted) / np.where(free, rat - oat, 1.0)
        command: Array = np.clip(np.where(free, fraction, self._minimum), self._minimum, 1.0)
        return command

    def _target(self, mat: Array, command: Array, speed: Array) -> Array:
        cooling = np.where(np.isnan(self._stuck_valve), np.maximum(-command, 0), self._stuck_valve)
        heating = np.maximum(np.maximum(command, 0), self._leak)
        through = 0.5 + 0.5 * speed
        heated = heating * self._heat * (140 - mat)
        cooled = cooling * self._cool * (mat - 45)
        target: Array = mat + (heated - cooled) / through
        return target
