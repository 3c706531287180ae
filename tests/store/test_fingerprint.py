"""What changes the name of a store, and what does not."""

import numpy as np
import pytest

from dualgaf.store import fingerprint as module
from dualgaf.store.fingerprint import fingerprint

FLAT = np.arange(24.0).reshape(2, 12)
STARTS = np.arange(5)
SETTINGS = {"recipe": {"image_size": 8, "storage": "uint8"}, "window_size": 4}


def name(flat=FLAT, starts=STARTS, bounds=None, settings=SETTINGS):
    return fingerprint({"flat": flat, "starts": starts, "bounds": bounds}, settings)


def test_equal_contents_give_equal_names():
    assert name() == name(FLAT.copy(), STARTS.tolist() and STARTS.copy(), None, dict(SETTINGS))
    assert len(name()) == 32
    assert int(name(), 16) >= 0


def test_the_order_of_keys_and_the_memory_layout_do_not_count():
    turned = dict(reversed(list(SETTINGS.items())))
    assert name(settings=turned) == name()
    assert name(np.asfortranarray(FLAT)) == name()
    a = fingerprint({"a": FLAT, "b": STARTS}, {})
    assert a == fingerprint({"b": STARTS, "a": FLAT}, {})


@pytest.mark.parametrize(
    "change",
    [
        {"flat": FLAT + np.eye(2, 12) * 1e-12},
        {"flat": FLAT.astype(np.float32)},
        {"flat": FLAT.reshape(12, 2)},
        {"flat": np.where(FLAT == 0, -0.0, FLAT)},
        {"starts": STARTS + 1},
        {"starts": STARTS[:-1]},
        {"bounds": np.zeros((2, 2))},
        {"settings": {**SETTINGS, "window_size": 5}},
        {"settings": {**SETTINGS, "recipe": {"image_size": 8, "storage": "uint16"}}},
    ],
    ids=["a value", "type", "shape", "sign of zero", "starts", "fewer", "bounds", "T", "storage"],
)
def test_each_part_counts(change):
    assert name(**change) != name()


def test_bytes_do_not_move_from_one_array_to_the_next():
    a, b = np.arange(4, dtype=np.uint8), np.arange(4, 8, dtype=np.uint8)
    joined = np.arange(8, dtype=np.uint8)
    assert fingerprint({"a": a, "b": b}, {}) != fingerprint({"a": joined, "b": joined[:0]}, {})


def test_the_version_of_the_format_counts(monkeypatch):
    before = name()
    monkeypatch.setattr(module, "FORMAT_VERSION", 2)
    assert name() != before
