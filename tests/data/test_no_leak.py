"""Whatever is done to rows of val, test and predict: what is learned from train stays the same."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualgaf
from dualgaf.data.windowed import read_windows
from dualgaf.errors import DualGAFError
from dualgaf.imaging.bounds import fit_bounds
from dualgaf.series.series import SPLITS

STEPS, CHANNELS = 6, 2
POISONS = ("values", "nan", "labels", "order", "duplicates", "huge", "constant")


def _learned(windowed):
    """Everything that comes from the training split, as bytes."""
    rows = windowed.indices["train"]
    blocks = windowed.windows.take(rows)
    parts = [blocks, windowed.labels[rows], windowed.scaler.mean, windowed.scaler.std]
    bounds = fit_bounds(windowed.windows, rows, 4)
    names = repr((windowed.class_names, windowed.channel_names)).encode()
    return [np.ascontiguousarray(part).tobytes() for part in (*parts, bounds)] + [names]


def _poisoned(series, labels, how, rng):
    """Series of another split, and their labels, spoilt."""
    series = [part.copy() for part in series]
    for index, part in enumerate(series):
        step = rng.randrange(part.shape[1])
        if how == "values":
            part += rng.uniform(-1e3, 1e3)
        elif how == "nan":
            part[rng.randrange(len(part)), step] = np.nan
        elif how == "labels":
            labels[index] = rng.choice("ab")
        elif how == "order":
            part[:] = part[:, ::-1]
        elif how == "duplicates":
            part[:, step:] = part[:, step : step + 1]
        elif how == "huge":
            part[:, step] = 1e12
        else:
            part[:] = 7.25
    return series, labels


def _arrays(seed):
    rng = np.random.default_rng(seed)
    sets = {}
    for name in SPLITS:
        x = [rng.normal(size=(CHANNELS, STEPS + int(rng.integers(0, 9)))) for _ in range(6)]
        sets[name] = (x, list("ababab"))
    return sets


def _read_arrays(sets):
    predict = sets["predict"][0]
    given = {name: pair for name, pair in sets.items() if name != "predict"}
    source = dualgaf.ArraySource(
        **given, predict=predict, nan="interpolate", window_size=STEPS, stride=2
    )
    return read_windows(source, seed=0)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(POISONS), st.sampled_from(SPLITS[1:]))
def test_arrays(seed, how, split):
    sets = _arrays(seed)
    before = _learned(_read_arrays(sets))
    sets[split] = _poisoned(*sets[split], how, random.Random(seed))
    assert _learned(_read_arrays(sets)) == before


def _table(folder, sets):
    """One file a series, with its split in a column."""
    for old in folder.glob("*.csv"):
        old.unlink()
    number = 0
    for name in SPLITS:
        for part, label in zip(*sets[name], strict=True):
            lines = ["time,s0,s1,fault,part"]
            for step, values in enumerate(part.T):
                numbers = ",".join(
                    "" if np.isnan(value) else repr(float(value)) for value in values
                )
                lines.append(f"2020-01-{number + 1:02d} 00:{step:02d},{numbers},{label},{name}")
            (folder / f"{number:02d}.csv").write_text("\n".join(lines) + "\n")
            number += 1
    source = dualgaf.TableSource(
        folder, nan="interpolate", window_size=STEPS, stride=2, split_column="part",
        split={"method": "official"},
    )  # fmt: skip
    return read_windows(source, seed=0)


@pytest.mark.parametrize("split", SPLITS[1:])
@pytest.mark.parametrize("how", POISONS)
def test_tables(tmp_path, how, split):
    seed = 1
    sets = {name: (x[:3], y[:3]) for name, (x, y) in _arrays(seed).items()}
    before = _learned(_table(tmp_path, sets))
    sets[split] = _poisoned(*sets[split], how, random.Random(seed))
    assert _learned(_table(tmp_path, sets)) == before


def _record(folder, method, rows):
    text = "time,s0,s1,fault\n" + "\n".join(rows) + "\n"
    (folder / "a.csv").write_text(text)
    split = {"method": method, "val_fraction": 0.25, "test_fraction": 0.25}
    source = dualgaf.TableSource(
        folder, nan="interpolate", window_size=4, stride=1, max_gap="1d", split=split
    )
    return read_windows(source, seed=0)


@pytest.mark.parametrize("method", ["time", "within", "group", "stratified"])
@pytest.mark.parametrize("how", ["values", "nan", "huge", "constant"])
@pytest.mark.parametrize("seed", range(3))
def test_methods_that_deal_out_rows_themselves(tmp_path, method, how, seed):
    rng = random.Random(seed)
    cells = [
        [f"2020-01-{day + 1:02d} {hour:02d}:00", *(f"{rng.gauss(0, 1):.6f}" for _ in range(2)),
         "ab"[day % 2]]
        for day in range(12) for hour in range(24)
    ]  # fmt: skip
    for row in rng.sample(range(len(cells)), 40):  # gaps everywhere, also where splits meet
        cells[row][1] = ""
    windowed = _record(tmp_path, method, map(",".join, cells))
    before = _learned(windowed)
    mine = set()
    for first, last in zip(windowed.start_times[windowed.indices["train"]],
                           windowed.end_times[windowed.indices["train"]], strict=True):  # fmt: skip
        mine |= {str(t).replace("T", " ")[:16] for t in np.arange(first, last + 1, 3600 * 10**6)}
    assert 0 < len(mine) < len(cells)
    for row in cells:
        if row[0] not in mine:
            spoilt = {"values": rng.gauss(100, 50), "huge": 1e12, "constant": 7.25}
            row[1:3] = [f"{spoilt[how]}" if how in spoilt else row[1], row[2]]
            if how == "nan" and rng.random() < 0.5:
                row[1] = ""
    assert _learned(_record(tmp_path, method, map(",".join, cells))) == before


def test_the_check_sees_a_leak():
    sets = _arrays(0)
    before = _learned(_read_arrays(sets))
    sets["train"] = _poisoned(*sets["train"], "values", random.Random(0))
    with pytest.raises((AssertionError, DualGAFError)):
        assert _learned(_read_arrays(sets)) == before
