import json
import os
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
import xxhash

from dualgaf.errors import CacheWarning, StoreFullError
from dualgaf.store.cache import StoreCache
from dualgaf.store.layout import HEADER_BYTES, StoreLayout

NAME = "0123456789abcdef" * 2
LAYOUT = StoreLayout(5, (2, 3), "uint8")
ROWS = np.arange(30, dtype=np.uint8).reshape(5, 2, 3)


def published(folder, name=NAME):
    cache = StoreCache(folder)
    with cache.writing(name, LAYOUT) as writer:
        writer.write_rows(0, ROWS)
        cache.publish(name, writer).close()
    return cache


def test_what_is_published_is_found_by_another(tmp_path):
    published(tmp_path / "new" / "cache")
    store = StoreCache(tmp_path / "new" / "cache").find(NAME, LAYOUT)
    assert np.array_equal(store.array, ROWS)
    assert store.backing == "cache"


def test_files_are_for_their_owner_only(tmp_path):
    cache = published(tmp_path / "cache")
    with cache.locked(NAME):
        assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
        modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in cache.folder.iterdir()}
    assert modes == {".store": 0o600, ".json": 0o600, ".lock": 0o600}


def test_a_build_that_fails_leaves_no_entry_and_no_part(tmp_path):
    cache = StoreCache(tmp_path)

    def fail():
        with cache.writing(NAME, LAYOUT) as writer:
            writer.write_rows(0, ROWS[:2])
            raise StoreFullError("on purpose")

    with pytest.raises(StoreFullError, match="on purpose"):
        fail()
    assert list(tmp_path.iterdir()) == []
    assert cache.find(NAME, LAYOUT) is None


def test_an_in_place_change_never_reaches_the_file(tmp_path):
    cache = published(tmp_path)
    store = cache.find(NAME, LAYOUT)
    store.array[:] = 9
    assert np.array_equal(cache.find(NAME, LAYOUT).array, ROWS)


def rewrite(path, change):
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


DAMAGES = {
    "truncated": lambda f: os.truncate(f / f"{NAME}.store", 4100),
    "no store": lambda f: (f / f"{NAME}.store").unlink(),
    "foreign header": lambda f: (f / f"{NAME}.store").write_bytes(bytes(LAYOUT.total_bytes)),
    "torn manifest": lambda f: (f / f"{NAME}.json").write_text('{"format": 1, "fing'),
    "older format": lambda f: rewrite(f / f"{NAME}.json", lambda m: m.update(format=0)),
    "other name": lambda f: rewrite(f / f"{NAME}.json", lambda m: m.update(fingerprint="f" * 32)),
    "not an object": lambda f: (f / f"{NAME}.json").write_text("[]"),
    "other layout": lambda f: rewrite(f / f"{NAME}.json", lambda m: m["layout"].update(n_rows=4)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_seen_set_aside_and_built_anew(damage, tmp_path):
    cache = published(tmp_path)
    damage(tmp_path)
    with pytest.warns(CacheWarning, match=rf"cache entry {NAME} is damaged .*set aside as \.bad"):
        assert cache.find(NAME, LAYOUT) is None
    assert np.array_equal(published(tmp_path).find(NAME, LAYOUT).array, ROWS)


def test_verify_reads_every_byte(tmp_path):
    cache = published(tmp_path)
    (entry,) = cache.entries()
    assert entry.checksum == xxhash.xxh3_64_hexdigest(ROWS.tobytes())
    assert cache.damage(entry) is None
    with (tmp_path / f"{NAME}.store").open("r+b") as file:
        file.seek(HEADER_BYTES + 7)
        file.write(b"\xff")
    assert cache.damage(entry).startswith("checksum ")


def test_clear_removes_its_own_files_only(tmp_path):
    cache = published(tmp_path)
    published(tmp_path, "f" * 32)
    (tmp_path / "notes.json").write_text("{}")
    taken = sum(path.stat().st_size for path in tmp_path.iterdir()) - len("{}")
    assert taken > 2 * LAYOUT.total_bytes
    assert cache.clear() == taken
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"]
    with pytest.warns(CacheWarning, match=r"notes\.json is not a manifest"):
        assert cache.entries() == []


def test_the_lock_is_free_again_when_its_holder_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from dualgaf.store.cache import StoreCache\n"
        f"with StoreCache(Path({str(tmp_path)!r})).locked({NAME!r}):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    waiter_script = script.replace("time.sleep(60)", "sys.exit(0)")
    waiter = subprocess.Popen([sys.executable, "-c", waiter_script], stdout=subprocess.PIPE)
    time.sleep(1.0)
    assert waiter.poll() is None, "the lock did not hold the second process"
    holder.kill()
    holder.communicate()
    assert waiter.communicate(timeout=30)[0] == b"held\n"
