"""Files of the cache with any bytes in them: seen and built anew, or an error of ours."""

import json
import os
import shutil
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dualgaf.build import build_store
from dualgaf.data.windows_cache import cached_windows
from dualgaf.errors import CacheWarning, HandleError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.plan.preset import HardwarePreset
from dualgaf.pool.settings import PoolSettings
from dualgaf.series import ArraySource
from dualgaf.store.handle import StoreHandle, node_identity, open_handle
from dualgaf.store.layout import HEADER_BYTES, StoreLayout
from fills import images_of, windows_of

N = settings.default.max_examples
FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
WINDOWS, RECIPE = windows_of(40), ImagingRecipe(8)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


class Stopped(BaseException):
    """The build is cut off."""


def build(folder, stop_after=None):
    settings = PoolSettings(chunk_size=7, n_jobs=1, backend="serial")
    request = BuildRequest(len(WINDOWS), WINDOWS.n_channels, WINDOWS.window_size, RECIPE)
    plan = make_plan(request, HardwarePreset("mine"), settings, folder)
    done = []

    def progress(rows):
        done.append(rows)
        if len(done) == stop_after:
            shutil.copytree(folder, folder.with_name("half"))  # as kill -9 leaves it
            raise Stopped

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", CacheWarning)
        store, _ = build_store(WINDOWS, plan, progress=progress, cache_verify="full")
    images = np.array(store.array)
    store.close()
    return images


def read(folder):
    x = np.random.default_rng(0).normal(size=(6, 2, 5))
    source = ArraySource((x, [0, 1] * 3), split={"method": "official", "val_fraction": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", CacheWarning)
        return cached_windows(source, 0, folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with finished entries, and one of a build that was cut off."""
    folder = tmp_path_factory.mktemp("fuzz") / "whole"
    with pytest.raises(Stopped):
        build(folder, stop_after=3)
    build(folder)
    read(folder)
    for copied in (folder, folder.with_name("half")):
        assert [path for path in copied.rglob("*") if path.is_file() and path.stat().st_size]
    return folder


@st.composite
def changed(draw, data):
    """Bytes of a file with a few of them changed, cut off, put in, or others altogether."""
    kind = draw(st.sampled_from(["flip", "cut", "insert", "other", "json", "number"]))
    at = draw(st.integers(0, max(0, len(data) - 1)))
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
    if kind == "cut":
        return data[:at]
    if kind == "insert":
        return data[:at] + draw(st.binary(min_size=1, max_size=20)) + data[at:]
    if kind == "json":
        return json.dumps(draw(json_values)).encode()
    if kind == "number":  # a value in the JSON text that begins or fills the file
        words = [b"Infinity", b"-1", b"1e400", b"null", b"[]", b'"x"', b"9" * 30, b"[" * 9000]
        digits = [k for k in range(len(data)) if data[k : k + 1].isdigit()][:400]
        at = draw(st.sampled_from(digits)) if digits else 0
        return data[:at] + draw(st.sampled_from(words)) + data[at + 1 :]
    return draw(st.binary(max_size=200))


@pytest.mark.parametrize("which", ["whole", "half"])
@settings(FOLDER, max_examples=2 * N)
@given(data=st.data())
def test_a_damaged_cache_gives_the_right_images(whole, tmp_path, which, data):
    folder = tmp_path / "cache"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole.with_name(which), folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)
    for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=2)):
        path.write_bytes(data.draw(changed(path.read_bytes())) if path.stat().st_size else b"")
    np.testing.assert_array_equal(build(folder), images_of(WINDOWS, RECIPE))
    if which == "whole":
        windowed = read(folder)
        assert windowed.windows.flat.shape == (2, 30)
        assert windowed.class_names == ("0", "1")
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0 or ".bad" in path.name or path.is_dir()


HEAD = StoreLayout(10, (2, 3), "uint8").header(bytes(16))


@settings(max_examples=6 * N)
@given(data=st.data())
def test_any_header(data):
    bytes_ = data.draw(changed(HEAD[:120]))
    with suppress(HandleError):
        layout, nonce = StoreLayout.from_header(bytes_[:HEADER_BYTES])
        assert len(nonce) == 16
        assert layout.total_bytes > HEADER_BYTES


@settings(max_examples=6 * N)
@given(
    changes=st.dictionaries(
        st.sampled_from(["n_rows", "row_shape", "dtype", "more"]),
        json_values | st.sampled_from(["uint8", "O", "V8", "M8[s]", "<f4", 10**30, [0], [-1], [2]]),
    )
)
@example(changes={"n_rows": float("inf")})
@example(changes={"dtype": "O"})
@example(changes={"row_shape": [10**300]})
@example(changes={"row_shape": [1.5]})
@example(changes={"n_rows": 10**30})
@example(changes={"n_rows": 1 << 62, "row_shape": [1 << 62]})
def test_any_layout_in_a_header(changes):
    text = json.dumps({"n_rows": 10, "row_shape": [2], "dtype": "uint8", **changes}).encode()
    head = HEAD[:28] + len(text).to_bytes(4, "little") + text
    with suppress(HandleError):
        layout, _ = StoreLayout.from_header(head[:HEADER_BYTES])
        assert 0 < layout.row_bytes <= layout.data_bytes < layout.total_bytes < 1 << 63


@settings(max_examples=6 * N)
@given(
    changes=st.dictionaries(
        st.sampled_from(["boot", "pid", "pid_namespace", "started", "files", "nonce", "layout"]),
        json_values | st.just([{"descriptor": 1, "inode": 2, "link": "/memfd:dualgaf (deleted)"}]),
    )
)
@example(changes={"pid": float("inf")})
@example(changes={"files": []})
def test_any_handle(changes):
    boot, namespace = node_identity()  # so that more than these is looked at
    fields = {
        "boot": boot,
        "pid": os.getpid(),
        "pid_namespace": namespace,
        "started": "3",
        "files": [{"descriptor": 1, "inode": 2, "link": "/memfd:dualgaf (deleted)"}],
        "nonce": "00" * 16,
        "layout": {"n_rows": 1, "row_shape": [1], "dtype": "uint8"},
        "backing": "memfd",
    }
    fields = json.loads(json.dumps({**fields, **changes}))
    with pytest.raises(HandleError):
        open_handle(StoreHandle.from_json(fields))
