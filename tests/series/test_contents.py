"""The hash of a source: all that changes a window changes it, nothing else does."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from dualgaf.series.archive import ArchiveSource
from dualgaf.series.contents import tagged
from dualgaf.series.simulate import SimulatedSource
from dualgaf.series.source import ArraySource
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.source import TableSource

X = np.arange(24.0).reshape(4, 2, 3)
Y = [0, 1, 0, 1]
TABLE = "step,flow,fault\n1,0.5,a\n2,0.6,a\n3,0.7,b\n"


def arrays(x=X, y=Y, **fields):
    return ArraySource(train=(x, y), **fields).contents()


def frames(*names):
    return [pd.DataFrame(dict(zip(names, series, strict=True))) for series in X]


def changed():
    other = X.copy()
    other[3, 1, 2] = -1
    return other


@pytest.mark.parametrize(
    "same",
    [
        lambda: arrays(torch.from_numpy(X)),
        lambda: arrays(np.asfortranarray(X)),
        lambda: arrays(y=np.array(["0", "1", "0", "1"])),
        lambda: arrays(y=torch.tensor(Y)),
        lambda: arrays(list(X)),
        lambda: arrays(X.astype(object)),
        lambda: arrays(np.ma.masked_array(X)),
    ],
)
def test_what_gives_the_same_windows_is_the_same(same):
    assert same() == arrays()


@pytest.mark.parametrize(
    "other",
    [
        lambda: arrays(changed()),
        lambda: arrays(X.astype(np.float32)),
        lambda: arrays(X.reshape(4, 3, 2)),
        lambda: arrays(np.ma.masked_equal(X, 5.0)),
        lambda: arrays(frames("a", "b")),
        lambda: arrays(y=[0, 1, 1, 0]),
        lambda: arrays(y=[None, 1, 0, 1]),
        lambda: arrays(y=["None", 1, 0, 1]),
        lambda: arrays(y=[False, True, False, True]),
        lambda: arrays(val=(X, Y)),
        lambda: arrays(test=(X, Y)),
        lambda: arrays(predict=X),
        lambda: arrays(window_size=2),
        lambda: arrays(nan="interpolate"),
        lambda: arrays(split=SplitSettings("stratified")),
        lambda: arrays(channel_names=("a", "b")),
    ],
)
def test_what_gives_other_windows_is_another(other):
    assert other() != arrays()


@pytest.mark.parametrize(
    "labels",
    [(None, "None"), (True, 1), (b"a", "b'a'"), (1, "1.0"), (b"1", "b'1'")],
    ids=repr,
)
def test_labels_that_look_alike_are_told_apart(labels):
    first, second = (arrays(y=[label, 2, 3, 4]) for label in labels)
    assert first != second


def test_values_of_other_types_are_told_apart():
    many = np.arange(5000)
    values = [
        None, "None", True, 1, 1.0, "1", b"1", "b'1'", Path("1"), (), {}, set(), (1,), ((1,),),
        (1, 2), ("1", 2), {"a": 1}, {"a": "1"}, {1: "a"}, {"1": "a"}, many, many + (many == 2500),
        many.astype(str), SplitSettings("time"), {"method": "time"}, float("nan"), "NaN",
    ]  # fmt: skip
    assert len({json.dumps(tagged(value)) for value in values}) == len(values)
    assert tagged([1, 2]) == tagged((1, 2))
    assert tagged(np.int64(3)) == 3
    for unknown in (object(), lambda: 0, np.array("2020", dtype="datetime64[D]")):
        with pytest.raises(TypeError, match="is not known by its value"):
            tagged(unknown)


def test_a_value_in_train_is_not_one_in_val():
    split = ArraySource(train=(X[:2], Y[:2]), val=(X[2:], Y[2:]))
    moved = ArraySource(train=(X[:3], Y[:3]), val=(X[3:], Y[3:]))
    assert split.contents() != moved.contents()


def test_a_table_is_its_files_and_their_names_wherever_they_lie(tmp_path):
    def written(folder, name="pump.csv", text=TABLE, **fields):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
        return TableSource(tmp_path / folder, **fields).contents()

    first = written("a")
    assert written("b") == first
    others = [
        written("c", name="fan.csv"),
        written("d", text=TABLE.replace("0.7", "0.8")),
        written("e", label="file"),
        written("f", split=SplitSettings("time")),
    ]
    assert len({first, *others}) == 5


def test_a_set_of_the_archive_is_its_two_files(tmp_path):
    for half in ("TRAIN", "TEST"):
        (tmp_path / f"Pair_{half}.txt").write_text("1 0.5 0.6\n2 0.7 0.8\n")
    source = ArchiveSource("Pair", root=tmp_path)
    first = source.contents()
    assert dataclasses.replace(source, nan="interpolate").contents() != first
    (tmp_path / "Pair_TEST.txt").write_text("1 0.5 0.6\n2 0.7 0.9\n")
    assert source.contents() != first
    assert ArchiveSource("NotBundled").contents() is None  # it would have to be downloaded first


def test_a_simulation_is_its_settings():
    assert SimulatedSource(100).contents() == SimulatedSource(100).contents()
    assert SimulatedSource(100, noise=2.0).contents() != SimulatedSource(100).contents()
