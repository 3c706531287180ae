"""What changes the name of a store, what does not, and how a change is told."""

import json

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.store import fingerprint as module
from dualgaf.store.fingerprint import StoreKey

FLAT = np.arange(24.0).reshape(2, 12)
STARTS = np.arange(5)
SETTINGS = {"image_size": 8, "storage": "uint8", "window_size": 4}


def key(values=FLAT, starts=STARTS, bounds=None, settings=SETTINGS):
    return StoreKey.of({"values": values, "starts": starts, "bounds": bounds}, settings)


def test_equal_contents_give_equal_names():
    again = key(FLAT.copy(), np.array(STARTS.tolist()), None, dict(SETTINGS))
    assert key().name == again.name
    assert key() == again
    assert len(key().name) == 32
    assert int(key().name, 16) >= 0


def test_the_order_of_keys_and_the_memory_layout_do_not_count():
    turned = dict(reversed(list(SETTINGS.items())))
    assert key(settings=turned).name == key().name
    assert key(np.asfortranarray(FLAT)).name == key().name
    a = StoreKey.of({"a": FLAT, "b": STARTS}, {})
    assert a.name == StoreKey.of({"b": STARTS, "a": FLAT}, {}).name


CHANGES = {
    "a value": ({"values": FLAT + np.eye(2, 12) * 1e-12}, "other values"),
    "type": ({"values": FLAT.astype(np.float32)}, "other values"),
    "shape": ({"values": FLAT.reshape(12, 2)}, "other values"),
    "sign of zero": ({"values": np.where(FLAT == 0, -0.0, FLAT)}, "other values"),
    "starts": ({"starts": STARTS + 1}, "other starts"),
    "fewer": ({"starts": STARTS[:-1]}, "other starts"),
    "bounds": ({"bounds": np.zeros((2, 2))}, "other bounds"),
    "T": ({"settings": {**SETTINGS, "window_size": 5}}, "window_size=4 (now 5)"),
    "storage": ({"settings": {**SETTINGS, "storage": "uint16"}}, "storage=uint8 (now uint16)"),
    "a new part": ({"settings": {**SETTINGS, "gamma": 2}}, "gamma=None (now 2)"),
}


@pytest.mark.parametrize(("change", "told"), CHANGES.values(), ids=CHANGES.keys())
def test_each_part_counts_and_is_told(change, told):
    changed = key(**change)
    assert changed.name != key().name
    assert changed.changes(key()) == [told]
    assert changed.equal_parts(key()) == len(key().parts) - (told != "gamma=None (now 2)")


def test_several_changes_are_told_settings_first():
    other = key(FLAT + 1, STARTS + 1, settings={**SETTINGS, "image_size": 9, "storage": "uint16"})
    assert other.changes(key()) == [
        "image_size=8 (now 9)",
        "storage=uint8 (now uint16)",
        "other starts",
        "other values",
    ]


def test_bytes_do_not_move_from_one_array_to_the_next():
    a, b = np.arange(4, dtype=np.uint8), np.arange(4, 8, dtype=np.uint8)
    joined = np.arange(8, dtype=np.uint8)
    names = [StoreKey.of({"a": x, "b": y}, {}).name for x, y in ((a, b), (joined, joined[:0]))]
    assert names[0] != names[1]


def test_the_version_of_the_format_counts(monkeypatch):
    before = key()
    monkeypatch.setattr(module, "FORMAT_VERSION", 3)
    assert key().name != before.name
    assert key().changes(before) == ["format=2 (now 3)"]


def test_the_name_is_xxh3_of_the_parts_and_an_array_of_its_type_shape_and_bytes():
    array = np.arange(3, dtype=np.uint8)
    found = StoreKey.of({"a": array, "none": None}, {"T": 4})
    digest = xxhash.xxh3_128_hexdigest(b"|u1(3,);" + bytes([0, 1, 2]))
    assert found.parts == {"format": 2, "T": 4, "a": f"xxh3:{digest}", "none": None}
    text = '{"T": 4, "a": "xxh3:' + digest + '", "format": 2, "none": null}'
    assert found.name == xxhash.xxh3_128_hexdigest(text.encode())


def test_every_field_of_a_recipe_is_a_part_and_comes_back_from_json():
    recipe = ImagingRecipe(8).to_json()
    found = StoreKey.of({}, recipe)
    assert set(recipe) < set(found.parts)
    assert StoreKey(json.loads(json.dumps(dict(found.parts)))) == found
    assert "feature_range=[-1.0, 1.0]" in found.settings


plain = st.dictionaries(
    st.sampled_from("abcd"), st.none() | st.integers() | st.text() | st.lists(st.floats(-1, 1))
)


@given(plain, plain)
def test_names_are_equal_exactly_where_nothing_changed(a, b):
    first, second = StoreKey.of({}, a), StoreKey.of({}, b)
    same = json.dumps(dict(first.parts), sort_keys=True) == json.dumps(
        dict(second.parts), sort_keys=True
    )
    assert (first.name == second.name) == same
    if first.changes(second):
        assert first.name != second.name
