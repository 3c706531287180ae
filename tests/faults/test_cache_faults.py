"""Faults of the cache: killed builds (25), damaged files (26), folders that refuse (27).

What is covered of row 25: a kill before each call that changes something in the folder (open,
mkdir, ftruncate, pwrite, write, fsync, rename, unlink, lockf), and one in the middle of each write.
"""

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xxhash

import preloaded
from cache_program import RECIPE, planned, windows
from dualgaf.build import build_store, is_built, store_key
from dualgaf.data.windows_cache import cached_windows
from dualgaf.errors import CacheWarning, ChunkError
from dualgaf.series.simulate import SimulatedSource
from dualgaf.store.cache import StoreCache
from dualgaf.store.cache_folder import CacheFolder
from fills import images_of, layout_of

PROGRAM = str(Path(__file__).parents[1] / "cache_program.py")
NOBODY = 65534


def program(*arguments, before=(), status=0):
    """What the program says, a JSON value a line."""
    command = [*before, sys.executable, PROGRAM, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr and before:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def build(folder, before=(), **settings):
    (found,) = program("build", str(folder), json.dumps(settings), before=before)
    return found


# ------------------------------------------------------------------ 25: killed anywhere


def to_draw(good, size, published):
    """Chunks of ``size`` of 42 windows that hold a window which is not in a good range."""
    there = {row for first, last in good for row in range(first, last)}
    chunks = [(first, min(first + size, 42)) for first in range(0, 42, size)]
    missing = [[a, b] for a, b in chunks if not set(range(a, b)) <= there]
    return [] if published else missing


@pytest.mark.fault(25)
@pytest.mark.parametrize("how", ["whole", "torn"])
def test_a_build_killed_at_any_call_is_gone_on_with(tmp_path, injected, how):
    steps = program("kills", str(tmp_path), how)
    injected(len(steps))
    calls = [step["call"] for step in steps]
    if how == "whole":
        assert len(steps) == 36
        assert calls.count("pwrite") == 8  # who holds the lock, and seven chunks
        assert {"open", "mkdir", "ftruncate", "write", "fsync", "rename", "unlink"} < set(calls)
    else:
        lock = ["pwrite"]  # who holds it
        assert calls == [*lock, "pwrite", "write", *["pwrite", "write"] * 6, "write"]
    counts = []
    for step in steps:
        then, published = step["next"], ".json" in step["there"]
        expected = to_draw(step["good"], step["size"], published)
        assert (then["drawn"], then["same"], then["warnings"]) == (expected, True, []), step
        assert then["cache"] == ("hit" if published else "miss"), step
        assert published or then["backend"] == ("serial" if expected else "none")
        assert sum(then["finished"]) == (0 if published else 42)
        kinds = {name[32:] for name in then["left"]}
        assert kinds <= ({".json", ".store"} if not published else set(step["there"]))
        assert {".json", ".store"} <= kinds
        counts.append(len(step["good"]))
    assert set(range(7)) <= {*counts}


@pytest.mark.fault(25)
def test_a_build_by_processes_that_was_killed_is_gone_on_with_by_threads(tmp_path):
    killed = {"backend": "process", "n_jobs": 2, "faults": {"kill_after": 3}}
    program("build", str(tmp_path), json.dumps(killed), status=-signal.SIGKILL)
    there = CacheFolder(tmp_path).unfinished()
    assert list(there.values()) == [(21, 42)]
    found = build(tmp_path, chunk_size=1, backend="thread", n_jobs=2)
    assert (found["same"], found["cache"], len(found["drawn"])) == (True, "miss", 21)
    assert found["why"] == (
        "cache: 21 of 42 windows are there from a build that was cut off; it goes on from there"
    )
    assert found["finished"] == [21] + [1] * 21
    assert CacheFolder(tmp_path).damage(*there) is None


@pytest.mark.fault(25, 2)
def test_a_chunk_that_kills_its_workers_costs_the_others_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", "SIGKILL:3")
    plan = planned(42, tmp_path, backend="process")
    with pytest.raises(ChunkError, match=r"chunk 3 \(windows 21 to 27\)"):
        build_store(windows(), plan)
    monkeypatch.delenv("DUALGAF_FAULT")
    ((there, _),) = CacheFolder(tmp_path).unfinished().values()
    assert there >= 21
    finished = []
    store, report = build_store(windows(), plan, progress=finished.append)
    assert finished[0] == there
    assert sum(finished) == 42
    assert report.cache == "miss"
    np.testing.assert_array_equal(store.array, images_of(windows(), RECIPE))


# ------------------------------------------------------------------ 26: damage


def in_cache(folder):
    """A published entry; returns its files."""
    store, _ = build_store(windows(), planned(42, folder))
    store.close()
    (path,) = folder.glob("*.store")
    return path, path.with_suffix(".json")


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def flip(path, at):
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def older(store, manifest):
    """A manifest that is good but for its version."""
    fields = {**json.loads(manifest.read_text()), "version": 1}
    del fields["check"]
    check = xxhash.xxh3_64_hexdigest(json.dumps(fields, sort_keys=True).encode())
    manifest.write_text(json.dumps({**fields, "check": check}))


def other_checksum(store, manifest):
    """A manifest with another checksum of some rows, which only its own check tells."""
    fields = json.loads(manifest.read_text())
    fields["ranges"][0][2] = "0" * 16
    manifest.write_text(json.dumps(fields))


def array_file(store, manifest):
    store.unlink()
    with store.open("wb") as file:
        np.save(file, np.array([Trap(store.parent / "sprung")]), allow_pickle=True)


def moved_by(make):
    """The file is moved away and something else made in its place."""

    def damage(store, manifest):
        store.rename(store.with_name("elsewhere"))
        make(store)

    return damage


DAMAGES = {
    "cut off": lambda store, manifest: os.truncate(store, 5000),
    "empty": lambda store, manifest: os.truncate(store, 0),
    "a byte more": lambda store, manifest: os.truncate(store, store.stat().st_size + 1),
    "header flipped": lambda store, manifest: flip(store, 33),
    "store missing": lambda store, manifest: store.unlink(),
    "manifest torn": lambda store, manifest: os.truncate(manifest, 300),
    "manifest flipped": lambda store, manifest: flip(manifest, manifest.stat().st_size // 2),
    "manifest empty": lambda store, manifest: os.truncate(manifest, 0),
    "manifest nested": lambda store, manifest: manifest.write_text("[" * 100_000),
    "manifest of another": lambda store, manifest: manifest.write_text('{"version": 2}'),
    "other checksum": other_checksum,
    "older version": older,
    "foreign file": lambda store, manifest: store.write_bytes(b"\0" * store.stat().st_size),
    "npy": array_file,
    "pickle": lambda store, manifest: store.write_bytes(
        pickle.dumps(Trap(store.parent / "sprung"))
    ),
    "manifest pickle": lambda store, manifest: manifest.write_bytes(
        pickle.dumps(Trap(store.parent / "sprung"))
    ),
    "link": moved_by(lambda path: path.symlink_to("elsewhere")),
    "dangling link": moved_by(lambda path: path.symlink_to("nowhere")),
    "folder": moved_by(lambda path: path.mkdir()),
    "pipe": moved_by(os.mkfifo),
    "manifest folder": lambda store, manifest: (manifest.unlink(), manifest.mkdir()),
}


@pytest.mark.fault(26)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_seen_set_aside_and_built_anew(tmp_path, damage):
    store, manifest = in_cache(tmp_path)
    damage(store, manifest)
    damaged = {path.lstat().st_ino for path in (store, manifest) if os.path.lexists(path)}
    assert not is_built(store_key(windows(), RECIPE), tmp_path)
    with pytest.warns(
        CacheWarning, match=rf"cache entry {store.stem} is damaged \(.+\); it is set aside as \.bad"
    ) as told:
        built, report = build_store(windows(), planned(42, tmp_path))
    assert len(told) == 1
    assert report.cache == "miss"
    np.testing.assert_array_equal(built.array, images_of(windows(), RECIPE))
    assert {path.lstat().st_ino for path in tmp_path.glob("*.bad")} == damaged
    assert damaged.isdisjoint({store.stat().st_ino, manifest.stat().st_ino})
    assert not (tmp_path / "sprung").exists()
    assert CacheFolder(tmp_path).damage(store.stem) is None


@pytest.mark.fault(26)
def test_every_flipped_byte_is_seen_by_the_full_policy(tmp_path, injected):
    store, _ = in_cache(tmp_path)
    where = np.linspace(4096, store.stat().st_size - 1, 12).astype(int)
    injected(len(where))
    for at in where:
        flip(store, int(at))
        mapped, report = build_store(windows(), planned(42, tmp_path))  # seen by size: nothing
        assert report.cache == "hit"
        damaged = mapped.array.copy()
        del mapped
        with pytest.warns(CacheWarning, match=r"damaged \(windows \d+ to \d+ have other bytes"):
            built, report = build_store(windows(), planned(42, tmp_path), cache_verify="full")
        assert report.cache == "miss"
        np.testing.assert_array_equal(built.array, images_of(windows(), RECIPE))
        assert not np.array_equal(damaged, built.array)
        built.close()


@pytest.mark.fault(26)
def test_who_has_a_damaged_entry_mapped_keeps_what_was_there(tmp_path):
    store, manifest = in_cache(tmp_path)
    # Not by build_store: the other process would be given what this one has.
    mapped = StoreCache(tmp_path).find(store.stem, layout_of(windows(), RECIPE))
    before = mapped.array.copy()
    manifest.write_text("torn")
    found = build(tmp_path)
    assert (found["cache"], found["same"]) == ("miss", True)
    assert [kind for kind, _ in found["warnings"]] == ["CacheWarning"]
    np.testing.assert_array_equal(mapped.array, before)


WINDOW_DAMAGES = {
    "cut off": lambda path: os.truncate(path, path.stat().st_size // 2),
    "flipped": lambda path: flip(path, path.stat().st_size - 9),
    "pickle": lambda path: path.write_bytes(pickle.dumps(Trap(path.parent / "sprung"))),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "link": lambda path: (path.rename(path.with_name("elsewhere")), path.symlink_to("elsewhere")),
}


@pytest.mark.fault(26)
@pytest.mark.parametrize("damage", WINDOW_DAMAGES.values(), ids=WINDOW_DAMAGES.keys())
def test_damaged_windows_are_seen_set_aside_and_read_anew(tmp_path, damage):
    source = SimulatedSource(20, window_size=24)
    first = cached_windows(source, 0, tmp_path)
    flat = first.windows.flat.copy()
    damage(first.file)
    with pytest.warns(CacheWarning, match=r"is damaged \(.+\); it is set aside as \.bad") as told:
        again = cached_windows(source, 0, tmp_path)
    assert len(told) == 1
    np.testing.assert_array_equal(again.windows.flat, flat)
    assert (tmp_path / f"{again.file.name}.bad").exists()
    assert not (tmp_path / "sprung").exists()
    np.testing.assert_array_equal(cached_windows(source, 0, tmp_path).windows.flat, flat)


# ------------------------------------------------------------------ 27: folders that refuse

READ_ONLY = ("unshare", "-m", "sh", "-c", 'mount -o bind "$0" "$0" && '
             'mount -o remount,ro,bind "$0" && exec "$@"')  # fmt: skip
SMALL_DISK = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=16m,mode=700 dualgaf "$0" && '
              'exec "$@"')  # fmt: skip


def contents(folder):
    return {
        path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.iterdir()
    }


def is_told_once(found, text):
    ((kind, told),) = found["warnings"]
    assert kind == "CacheWarning"
    assert text in told
    assert "they go to memory" in told
    assert "cache.dir=ANOTHER" in told
    assert (found["cache"], found["backing"], found["same"]) == ("off", "memfd", True)
    return True


@pytest.mark.fault(27)
@pytest.mark.parametrize("verify", ["size", "full"])
def test_a_valid_entry_on_a_read_only_disk_is_used(tmp_path, verify):
    in_cache(tmp_path)
    before = contents(tmp_path)
    found = build(tmp_path, (*READ_ONLY, str(tmp_path)), verify=verify)
    assert (found["cache"], found["backing"], found["same"]) == ("hit", "cache", True)
    assert found["warnings"] == []
    assert contents(tmp_path) == before


@pytest.mark.fault(27)
@pytest.mark.parametrize("what", ["missing", "damaged"])
def test_without_a_valid_entry_on_a_read_only_disk_images_go_to_memory(tmp_path, what):
    if what == "damaged":
        os.truncate(in_cache(tmp_path)[0], 5000)
    before = contents(tmp_path)
    found = build(tmp_path, (*READ_ONLY, str(tmp_path)))
    assert found["cached"]
    assert is_told_once(found, f"cache.dir={tmp_path} does not take them: Read-only file system")
    assert what == "missing" or "the store has 5000 bytes" in found["why"]
    assert contents(tmp_path) == before


@pytest.mark.fault(27)
def test_a_folder_of_another_user_is_read_and_not_written(injected):
    if os.getuid():
        pytest.skip("only root can become somebody else")
    injected(3)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own is closed to others
        Path(name).chmod(0o755)
        folder, home = Path(name) / "cache", Path(name) / "home"
        folder.mkdir()
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        somebody = {"user": NOBODY, "home": str(home)}
        for mode in (0o755, 0o700):
            folder.chmod(mode)
            assert is_told_once(build(folder, faults=somebody), "Permission denied")
        files = in_cache(folder)
        folder.chmod(0o755)
        for path in files:  # prepared for others
            path.chmod(0o644)
        before = contents(folder)
        found = build(folder, faults=somebody)
        assert (found["cache"], found["same"], found["warnings"]) == ("hit", True, [])
        assert contents(folder) == before


@pytest.mark.fault(27)
def test_a_folder_that_cannot_be_made_is_told_once(tmp_path):
    (tmp_path / "file").write_text("")
    assert is_told_once(build(tmp_path / "file" / "cache"), "Not a directory")


@pytest.mark.fault(27, 12)
@pytest.mark.parametrize(("backend", "n_jobs"), [("serial", 1), ("process", 2)])
def test_a_cache_disk_that_fills_in_the_middle_is_left_clean(tmp_path, backend, n_jobs):
    n = 56_000  # 14 MB
    settings = {"n": n, "chunk_size": 700, "backend": backend, "n_jobs": n_jobs}
    settings["faults"] = {"ballast": 9 << 20}
    found = build(tmp_path, (*SMALL_DISK, str(tmp_path)), **settings)
    assert found["cached"]
    assert is_told_once(found, "cache is full after ")
    assert 0 < len(found["drawn"]) < n // 700
    assert found["left"] == ["ballast"]


@pytest.mark.fault(27, 12)
def test_only_when_every_place_refuses_is_it_an_error_that_lists_them(tmp_path):
    found = build(tmp_path, faults={"file_limit": 8192})
    for place in ("memfd: ", "file: ", f"cache: cache.dir={tmp_path} does not take them: File too"):
        assert place in found["error"]
    assert found["left"] == []


@pytest.mark.fault(27)
def test_windows_of_a_read_only_cache_are_used_or_read_each_time(tmp_path):
    code = (
        "import json, sys, warnings; from pathlib import Path\n"
        "from dualgaf.data.datamodule import DualGAFDataModule\n"
        "from dualgaf.series.simulate import SimulatedSource\n"
        "from dualgaf.data import windows_cache\n"
        "for folder in map(Path, sys.argv[1:]):\n"
        "    with warnings.catch_warnings(record=True) as told:\n"
        "        warnings.simplefilter('always')\n"
        "        dm = DualGAFDataModule(SimulatedSource(20, window_size=24), image_size=8,\n"
        "            scaling='train', cache_dir=folder)\n"
        "        dm.setup('fit')\n"
        "    texts = [str(w.message) for w in told if w.category.__name__ == 'CacheWarning']\n"
        "    rows = [x.double().sum() for row in dm.dataset('train') for x in row[:2]]\n"
        "    total = float(sum(rows))\n"
        "    print(json.dumps([texts, dm.build_reports[0].cache, total]))\n"
        "    dm.close()\n"
    )
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()

    filled = preloaded.run(str(full), str(empty), cwd=tmp_path, program=("-c", code))
    whole = [json.loads(line) for line in filled.splitlines() if line.startswith("[[")]
    for path in empty.iterdir():
        path.unlink()
    before = contents(full)

    command = [*READ_ONLY, str(tmp_path), sys.executable, "-c", code, str(full), str(empty)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    (told_full, cache_full, sum_full), (told_empty, cache_empty, sum_empty) = map(
        json.loads, done.stdout.splitlines()
    )
    assert (told_full, cache_full) == ([], "hit")
    assert contents(full) == before
    assert cache_empty == "off"
    assert [text.split(" are not kept")[0] for text in told_empty] == ["the windows", "the images"]
    assert sum_full == sum_empty == whole[0][2] == whole[1][2]
