"""Windows from the cache: equal to those read, found by content, and never trusted blindly."""

import dataclasses
import errno
import json
import stat
import threading

import numpy as np
import pytest

from dualgaf.data import windows_cache
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.windowed import read_windows
from dualgaf.data.windows_cache import cached_windows, train_bounds
from dualgaf.errors import CacheWarning, ConfigError
from dualgaf.imaging.bounds import fit_bounds
from dualgaf.series.series import SeriesSet
from dualgaf.series.simulate import SimulatedSource
from dualgaf.series.source import ArraySource
from dualgaf.series.splits import SplitSettings
from dualgaf.store.cache_folder import CacheFolder
from dualgaf.store.layout import HEADER_BYTES

SOURCE = SimulatedSource(40, window_size=24)


def plain(value):
    """Everything in the windows of a source as values that == compares."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes(), value.flags.writeable
    return value


@pytest.fixture
def unread(monkeypatch):
    """From now on nothing may be read."""

    def refuse(*_):
        raise AssertionError("the source was read")

    return lambda: monkeypatch.setattr(windows_cache, "read_windows", refuse)


def files(folder):
    return list(folder.glob("*.windows"))


def test_a_second_run_maps_what_the_first_one_read(tmp_path, unread):
    first = cached_windows(SOURCE, 0, tmp_path)
    (path,) = files(tmp_path)
    assert plain(first) == plain(dataclasses.replace(read_windows(SOURCE, 0), file=path))
    unread()
    second = cached_windows(SOURCE, 0, tmp_path)
    assert plain(second) == plain(first)
    second.windows.flat[:] = 0  # a private map: this changes no file
    assert plain(cached_windows(SOURCE, 0, tmp_path)) == plain(first)


def test_another_seed_split_or_version_is_another_entry(tmp_path, monkeypatch):
    cached_windows(SOURCE, 0, tmp_path)
    cached_windows(SOURCE, 1, tmp_path)
    fewer = dataclasses.replace(SOURCE, split=SplitSettings("group", val_fraction=0.1))
    cached_windows(fewer, 0, tmp_path)
    monkeypatch.setattr(windows_cache, "__version__", "0.0.0")
    cached_windows(SOURCE, 0, tmp_path)
    monkeypatch.setattr(windows_cache, "FORMAT_VERSION", 1)  # constants were not told apart
    cached_windows(SOURCE, 0, tmp_path)
    assert len(files(tmp_path)) == 5


@pytest.mark.parametrize("where", ["magic", "JSON", "array", "end", "length", "head", "empty"])
def test_a_damaged_file_is_warned_about_and_written_anew(where, tmp_path):
    first = cached_windows(SOURCE, 0, tmp_path)
    (path,) = files(tmp_path)
    good = path.read_bytes()
    bad = bytearray(good)
    if where in ("length", "head", "empty"):
        bad = bad[: {"length": len(bad) // 2, "head": 20, "empty": 0}[where]]
    else:
        bad[{"magic": 0, "JSON": 60, "array": len(bad) // 2, "end": -1}[where]] ^= 1
    path.write_bytes(bad)
    with pytest.warns(CacheWarning, match="is damaged"):
        again = cached_windows(SOURCE, 0, tmp_path)
    assert plain(again) == plain(first)
    assert path.read_bytes() == good
    assert path.with_name(f"{path.name}.bad").read_bytes() == bad


def test_of_several_processes_one_reads(tmp_path, monkeypatch):
    inside, read = threading.Event(), []

    def slowly(source, seed, left_bytes):
        read.append(seed)
        inside.set()
        assert not started.wait(0.5), "the second did not wait"
        return read_windows(source, seed, left_bytes)

    started = threading.Event()
    monkeypatch.setattr(windows_cache, "read_windows", slowly)
    found = []

    def second():
        inside.wait()
        found.append(cached_windows(SOURCE, 0, tmp_path))
        started.set()

    thread = threading.Thread(target=second)
    thread.start()
    first = cached_windows(SOURCE, 0, tmp_path)
    thread.join()
    assert read == [0]
    assert plain(found[0]) == plain(first)
    assert list(tmp_path.iterdir()) == files(tmp_path)


def test_a_folder_that_refuses_costs_a_warning_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(CacheWarning, match="the windows are not kept .*: Not a directory; ") as told:
        windowed = cached_windows(SOURCE, 0, tmp_path / "file" / "cache")
    assert len(told) == 1
    assert windowed.file is None
    assert plain(windowed) == plain(read_windows(SOURCE, 0))
    train_bounds(windowed, 8)


def test_a_disk_that_fills_costs_a_warning_and_nothing_else(tmp_path, monkeypatch):
    def full(path, parts):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(windows_cache, "write_whole", full)
    with pytest.warns(CacheWarning, match="does not take them: No space left on device; "):
        windowed = cached_windows(SOURCE, 0, tmp_path)
    assert plain(windowed) == plain(read_windows(SOURCE, 0))
    assert list(tmp_path.iterdir()) == []


def test_too_many_open_files_are_no_damage(tmp_path, monkeypatch):
    first = cached_windows(SOURCE, 0, tmp_path)
    calls = []

    def refused(path):
        calls.append(path)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(windows_cache, "open_checked", refused)
    with pytest.warns(CacheWarning, match="Too many open files"):
        again = cached_windows(SOURCE, 0, tmp_path)
    assert plain(again) == plain(dataclasses.replace(first, file=None))
    assert files(tmp_path) == [first.file]


def test_files_are_the_owners_alone_and_clear_removes_them(tmp_path):
    folder = tmp_path / "new"
    cached_windows(SOURCE, 0, folder)
    (path,) = files(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == [path]
    assert CacheFolder(folder).clear()[0] > 0
    assert list(folder.iterdir()) == []


def test_fitted_bounds_are_kept_for_each_size_to_the_last_bit(tmp_path, monkeypatch):
    windowed = cached_windows(SOURCE, 0, tmp_path)
    wanted = {size: train_bounds(windowed, size) for size in (8, 24)}
    assert not np.array_equal(wanted[8], wanted[24])
    np.testing.assert_array_equal(
        wanted[8], fit_bounds(windowed.windows, windowed.indices["train"], 8)
    )
    fitted = []
    monkeypatch.setattr(
        windows_cache, "fit_bounds", lambda *args: fitted.append(args) or fit_bounds(*args)
    )
    again = cached_windows(SOURCE, 0, tmp_path)
    for size in (8, 24):
        np.testing.assert_array_equal(train_bounds(again, size), wanted[size])
    assert fitted == []
    path, other = (again.file.with_name(f"{again.file.name}.{size}.bounds") for size in (8, 24))
    good = path.read_bytes()
    digit = good.rindex(b".") - 1
    flipped = good[:digit] + bytes([good[digit] ^ 1]) + good[digit + 1 :]
    earlier = json.dumps(wanted[8].tolist()).encode()  # without a checksum
    for bad in (b"", b"[[1.0]]", b"null", flipped, earlier, other.read_bytes(), good[:-9]):
        path.write_bytes(bad)
        with pytest.warns(CacheWarning, match=r"8\.bounds is damaged .*; it is set aside as \.bad"):
            np.testing.assert_array_equal(train_bounds(again, 8), wanted[8])
        assert path.read_bytes() == good
    assert len(fitted) == 7


def test_without_a_cache_bounds_are_fitted():
    windowed = read_windows(SOURCE, 0)
    wanted = fit_bounds(windowed.windows, windowed.indices["train"], 8)
    np.testing.assert_array_equal(train_bounds(windowed, 8), wanted)


def test_a_source_of_ones_own_is_read_each_time(tmp_path):
    class Own:
        window_size, stride, ragged, split = 24, None, "error", SplitSettings("group")

        def load(self) -> SeriesSet:
            return SOURCE.load()

    assert len(cached_windows(Own(), 0, tmp_path).windows) == 40
    assert files(tmp_path) == []


def test_the_datamodule_sets_up_from_the_cache_without_reading_or_drawing(tmp_path, unread):
    def module():
        return DualGAFDataModule(SOURCE, image_size=8, scaling="train", cache_dir=tmp_path)

    first = module()
    first.setup("fit")
    wanted = first.dataset("train")[0]
    first.close()
    unread()
    second = module()
    second.setup("fit")
    assert second.build_reports[0].cache == "hit"
    for ours, theirs in zip(second.dataset("train")[0], wanted, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_the_datamodule_looks_at_every_byte_where_it_is_told_to(tmp_path):
    def state(verify):
        dm = DualGAFDataModule(
            SOURCE, image_size=8, scaling="window", cache_dir=tmp_path, cache_verify=verify
        )
        dm.setup("fit")
        dm.close()
        return dm.build_reports[0].cache

    assert state("full") == "miss"
    (path,) = tmp_path.glob("*.store")
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES)
        file.write(bytes(64))
    assert state("size") == "hit"
    with pytest.warns(CacheWarning, match="windows 0 to .* have other bytes than were written"):
        assert state("full") == "miss"
    assert state("full") == "hit"
    with pytest.raises(ConfigError, match=r"cache\.verify='sample' .*; type cache\.verify="):
        DualGAFDataModule(SOURCE, cache_verify="sample")


def test_a_file_of_windows_of_another_key_is_not_taken(tmp_path):
    own, other = (cached_windows(SOURCE, seed, tmp_path) for seed in (0, 1))
    own.file.write_bytes(other.file.read_bytes())
    with pytest.warns(CacheWarning, match=f"is damaged \\(it is that of {other.file.name}\\)"):
        assert plain(cached_windows(SOURCE, 0, tmp_path)) == plain(own)


def test_a_class_that_inherits_contents_is_read_each_time(tmp_path):
    class Inherits(SimulatedSource):
        def load(self):
            days = super().load()
            return days.replace_values([values + factor for values in days.values])

    class Wraps:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def load(self):
            return Inherits(40, window_size=24).load()

    first = cached_windows(SOURCE, 0, tmp_path)  # control: this one is kept
    for source in (Inherits(40, window_size=24), Wraps(SOURCE)):
        for factor in (0, 5):
            again = cached_windows(source, 0, tmp_path)
            np.testing.assert_allclose(again.windows.flat, first.windows.flat + factor, rtol=1e-6)
    assert files(tmp_path) == [first.file]


def test_what_a_source_of_ones_own_says_of_its_contents_is_not_all(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Own:
        window_size: int = 24
        stride: int | None = None
        split: SplitSettings = dataclasses.field(default_factory=lambda: SplitSettings("group"))
        ragged: str = "error"

        def load(self):
            return SOURCE.load()

        def contents(self):
            return "the days"

    for change in (
        {},
        {"window_size": 12},
        {"stride": 1},
        {"split": SplitSettings("group", val_fraction=0.1)},
    ):
        source = Own(**change)
        wanted = plain(dataclasses.replace(read_windows(source, 0), file=None))
        for _ in range(2):
            found = cached_windows(source, 0, tmp_path)
            assert plain(dataclasses.replace(found, file=None)) == wanted
    assert len(files(tmp_path)) == 4


def test_a_setting_that_no_text_tells_is_read_each_time(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(8, 2, 6)), [0, 1] * 4

    class Names:
        """Names that change where nobody sees it."""

        def __iter__(self):
            return iter(names)

        def __len__(self):
            return len(names)

    source = ArraySource((x, y), channel_names=Names(), split={"val_fraction": 0})
    for names in (("a", "b"), ("c", "d")):
        assert cached_windows(source, 0, tmp_path).channel_names == names
    assert files(tmp_path) == []
