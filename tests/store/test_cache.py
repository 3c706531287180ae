"""Stores in a folder: found, gone on with, explained, listed. Damage is in tests/faults."""

import errno
import json
import os
import re
import stat
import time
from pathlib import Path

import numpy as np
import pytest
import xxhash

from dualgaf.errors import CacheWarning, ConfigError, HandleError, StoreFullError
from dualgaf.store.cache import StoreCache
from dualgaf.store.cache_files import open_checked, sealed, set_aside, unsealed, write_whole
from dualgaf.store.cache_folder import CacheFolder
from dualgaf.store.cache_writer import CacheWriter
from dualgaf.store.fingerprint import StoreKey
from dualgaf.store.layout import HEADER_BYTES, StoreLayout
from dualgaf.store.lock import locked
from dualgaf.store.manifest import CacheEntry, EntryPaths

LAYOUT = StoreLayout(5, (2, 3), "uint8")
ROWS = np.arange(30, dtype=np.uint8).reshape(5, 2, 3)


def key_of(**settings):
    return StoreKey.of({"values": ROWS}, {"image_size": 3, **settings})


KEY = key_of()


def fill(writer, first, last):
    writer.write_rows(first, ROWS[first:last])
    writer.rows_are_there(first, last)


def published(folder, key=KEY):
    cache = StoreCache(folder)
    with cache.claim(key, LAYOUT) as writer:
        fill(writer, 0, 2)
        fill(writer, 2, 5)
        writer.seal().close()
    return cache


def cut_off(folder, *ranges, key=KEY, error=KeyboardInterrupt):
    """A build that ends after these rows."""

    def build():
        with StoreCache(folder).claim(key, LAYOUT) as writer:
            for first, last in ranges:
                fill(writer, first, last)
            raise error

    with pytest.raises(error):
        build()


def names(folder):
    return sorted(path.name.removeprefix(KEY.name) for path in folder.iterdir())


def test_what_is_published_is_found_by_another(tmp_path):
    published(tmp_path / "new" / "cache")
    store = StoreCache(tmp_path / "new" / "cache").find(KEY.name, LAYOUT)
    assert np.array_equal(store.array, ROWS)
    assert store.backing == "cache"
    assert names(tmp_path / "new" / "cache") == [".json", ".store"]


def test_an_entry_of_another_layout_is_not_given(tmp_path):
    assert published(tmp_path).find(KEY.name, StoreLayout(5, (3, 2), "uint8")) is None


def test_the_sealed_store_is_what_was_written(tmp_path):
    with StoreCache(tmp_path).claim(KEY, LAYOUT) as writer:
        assert isinstance(writer, CacheWriter)
        fill(writer, 0, 5)
        store = writer.seal()
    assert np.array_equal(store.array, ROWS)
    with StoreCache(tmp_path).claim(KEY, LAYOUT) as found:
        assert np.array_equal(found.array, ROWS)


def test_files_are_for_their_owner_only(tmp_path):
    folder = tmp_path / "cache"
    with StoreCache(folder).claim(KEY, LAYOUT) as writer:
        fill(writer, 0, 5)
        modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert modes == {".part": 0o600, ".journal": 0o600, ".lock": 0o600}
        writer.seal()
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {".store": 0o600, ".json": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_in_place_change_never_reaches_the_file(tmp_path):
    cache = published(tmp_path)
    store = cache.find(KEY.name, LAYOUT)
    store.array[:] = 9
    assert np.array_equal(cache.find(KEY.name, LAYOUT).array, ROWS)


def test_rows_that_were_never_told_of_are_not_published(tmp_path):
    cache = StoreCache(tmp_path)
    with cache.claim(KEY, LAYOUT) as writer:
        fill(writer, 0, 2)
        writer.write_rows(2, ROWS[2:4])
        fill(writer, 4, 5)
        with pytest.raises(AssertionError, match=r"rows \[\(2, 4\)\] were never said to be"):
            writer.seal()
    assert cache.find(KEY.name, LAYOUT) is None


# ------------------------------------------------------------------ builds that were cut off


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_whatever_ends_a_build_the_next_one_goes_on_from_there(tmp_path, error):
    cut_off(tmp_path, (0, 2), (4, 5), error=error)
    assert names(tmp_path) == [".journal", ".part"]
    with StoreCache(tmp_path).claim(KEY, LAYOUT) as writer:
        there = [(a, b) for a in range(5) for b in range(a + 1, 6) if writer.has_rows(a, b)]
        assert there == [(0, 1), (0, 2), (1, 2), (4, 5)]
        fill(writer, 1, 4)  # chunks of another size overlap what is there
        store = writer.seal()
    assert np.array_equal(store.array, ROWS)
    assert names(tmp_path) == [".json", ".store"]
    assert CacheFolder(tmp_path).damage(KEY.name) is None


def test_a_full_disk_leaves_nothing(tmp_path):
    cut_off(tmp_path, (0, 2), error=StoreFullError)
    assert names(tmp_path) == []
    assert StoreCache(tmp_path).find(KEY.name, LAYOUT) is None


def test_rows_whose_bytes_changed_are_drawn_again(tmp_path):
    cut_off(tmp_path, (0, 2), (2, 4))
    with (tmp_path / f"{KEY.name}.part").open("r+b") as file:
        file.seek(LAYOUT.offset(3))
        file.write(b"\xff")
    with StoreCache(tmp_path).claim(KEY, LAYOUT) as writer:
        assert (writer.has_rows(0, 2), writer.has_rows(2, 4)) == (True, False)


@pytest.mark.parametrize("wrong", ["nonce", "layout", "size", "no journal", "link", "folder"])
def test_a_part_that_is_not_that_of_the_journal_is_begun_anew(tmp_path, wrong):
    cut_off(tmp_path, (0, 2))
    part, journal = (tmp_path / f"{KEY.name}.{kind}" for kind in ("part", "journal"))
    if wrong in ("nonce", "layout"):
        layout = LAYOUT if wrong == "nonce" else StoreLayout(5, (3, 2), "uint8")
        with part.open("r+b") as file:
            file.write(layout.header(bytes(16)))
    elif wrong == "size":
        os.truncate(part, LAYOUT.total_bytes + 1)
    elif wrong == "no journal":
        journal.unlink()
    else:
        part.rename(tmp_path / "elsewhere")
        part.symlink_to("elsewhere") if wrong == "link" else part.mkdir()
    with StoreCache(tmp_path).claim(KEY, LAYOUT) as writer:
        assert not writer.has_rows(0, 1)
        fill(writer, 0, 5)
        assert np.array_equal(writer.seal().array, ROWS)
    left = {".json", ".store"} | {
        "link": {"elsewhere"},
        "folder": {"elsewhere", ".part.bad"},
    }.get(wrong, set())
    assert set(names(tmp_path)) == left


def test_a_store_without_manifest_and_journal_is_set_aside(tmp_path):
    (tmp_path / f"{KEY.name}.store").write_text("somebody's")
    published(tmp_path)
    assert names(tmp_path) == [".json", ".store", ".store.bad"]
    assert (tmp_path / f"{KEY.name}.store.bad").read_text() == "somebody's"


# ------------------------------------------------------------------ whose it is

OTHER = key_of(scaling="train")


def published_other(folder):
    """An entry of another recipe, with a store of the same layout."""
    with StoreCache(folder).claim(OTHER, LAYOUT) as writer:
        writer.write_rows(0, ROWS + 1)
        writer.rows_are_there(0, 5)
        writer.seal().close()


def moved(folder, kind):
    """A file of the other entry under the name of this one."""
    (folder / f"{OTHER.name}.{kind}").rename(folder / f"{KEY.name}.{kind}")


@pytest.mark.parametrize("verify", ["size", "full"])
@pytest.mark.parametrize("kinds", [["store"], ["json"], ["store", "json"]], ids=str)
def test_an_entry_of_another_recipe_under_a_name_is_seen(tmp_path, kinds, verify):
    published(tmp_path)
    published_other(tmp_path)
    for kind in kinds:
        moved(tmp_path, kind)
    cache = StoreCache(tmp_path, verify)
    assert cache.find(KEY.name, LAYOUT) is None
    assert not cache.has(KEY.name)
    with pytest.warns(CacheWarning, match=f"entry {KEY.name} is damaged .* set aside as .bad"):
        published(tmp_path)
    assert np.array_equal(cache.find(KEY.name, LAYOUT).array, ROWS)


def test_a_build_of_another_recipe_under_a_name_is_begun_anew(tmp_path):
    cut_off(tmp_path, (0, 2), key=OTHER)
    for kind in ("part", "journal"):
        moved(tmp_path, kind)
    with StoreCache(tmp_path).claim(KEY, LAYOUT) as writer:
        assert not writer.has_rows(0, 1)
        fill(writer, 0, 5)
        assert np.array_equal(writer.seal().array, ROWS)


def as_version_2(folder):
    """The manifest as an earlier version has written it: nothing says which store is its own."""
    path = folder / f"{KEY.name}.json"
    fields = {**json.loads(path.read_text()), "version": 2}
    del fields["check"], fields["nonce"]
    check = xxhash.xxh3_64_hexdigest(json.dumps(fields, sort_keys=True).encode())
    path.write_text(json.dumps({**fields, "check": check}))
    return path


@pytest.mark.parametrize("verify", ["size", "full"])
def test_an_entry_of_an_earlier_version_is_used_as_it_is(tmp_path, verify):
    published(tmp_path)
    path = as_version_2(tmp_path)
    before = path.read_bytes()
    assert np.array_equal(StoreCache(tmp_path, verify).find(KEY.name, LAYOUT).array, ROWS)
    assert path.read_bytes() == before
    assert CacheFolder(tmp_path).damage(KEY.name) is None


@pytest.mark.parametrize("verify", ["size", "full"])
def test_an_entry_of_an_earlier_version_with_another_store_is_built_anew(tmp_path, verify):
    published(tmp_path)
    published_other(tmp_path)
    as_version_2(tmp_path)
    moved(tmp_path, "store")
    with pytest.warns(CacheWarning, match="windows .* have other bytes than were written"):
        published(tmp_path)
    assert np.array_equal(StoreCache(tmp_path, verify).find(KEY.name, LAYOUT).array, ROWS)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_plain_file_is_not_read(tmp_path, make):
    make(tmp_path / "some.json")
    with pytest.raises(HandleError, match=r"some\.json is no plain file"):
        open_checked(tmp_path / "some.json")


def test_an_entry_of_a_version_that_is_not_known_is_not_read(tmp_path):
    published(tmp_path)
    paths = EntryPaths(tmp_path, KEY.name)
    fields = unsealed(paths.manifest.read_bytes())
    paths.manifest.write_bytes(sealed({**fields, "version": 4}))
    with pytest.raises(HandleError, match="cannot be used: it is of another version than 3"):
        CacheEntry.read(paths)
    assert "another version" in CacheFolder(tmp_path).damage(KEY.name)


# ------------------------------------------------------------------ why it is not there


def test_a_miss_says_what_changed_against_the_nearest_entry(tmp_path):
    folder = CacheFolder(tmp_path)
    assert folder.explain_miss(KEY) == "cache: no entry for these images; the cache is empty"
    published(tmp_path, key_of(image_size=9, storage="uint16", layout="dual"))
    near = key_of(image_size=9)
    published(tmp_path, near)
    (tmp_path / f"{'0' * 32}.json").write_text("{}")  # an entry that nobody can read counts not
    assert folder.explain_miss(KEY) == (
        f"cache: no entry for these images; the nearest one, {near.name}, has image_size=9 (now 3)"
    )
    other = StoreKey.of({"values": ROWS + 1}, {"image_size": 3, "T": 7})
    assert folder.explain_miss(other) == (
        f"cache: no entry for these images; the nearest one, {near.name}, has T=None (now 7), "
        "image_size=9 (now 3) and other values"
    )


def test_of_two_entries_that_are_as_near_the_newer_one_is_told(tmp_path):
    old, new = key_of(image_size=8), key_of(image_size=9)
    for key, age in ((new, 10), (old, 20)):
        published(tmp_path, key)
        then = time.time() - age
        os.utime(tmp_path / f"{key.name}.json", (then, then))
    assert new.name in CacheFolder(tmp_path).explain_miss(KEY)


def test_an_entry_of_an_older_version_explains_a_miss(tmp_path):
    older = StoreKey({**KEY.parts, "format": 0})
    manifest = {"version": 1, "parts": dict(older.parts)}
    (tmp_path / f"{older.name}.json").write_text(json.dumps(manifest))
    assert CacheFolder(tmp_path).explain_miss(KEY).endswith("has format=0 (now 2)")


def test_a_miss_tells_of_a_build_that_was_cut_off_and_of_damage(tmp_path):
    cut_off(tmp_path, (0, 2), (1, 4))
    folder = CacheFolder(tmp_path)
    assert folder.explain_miss(KEY) == (
        "cache: 4 of 5 windows are there from a build that was cut off; it goes on from there"
    )
    assert folder.unfinished() == {KEY.name: (4, 5)}
    journal = (tmp_path / f"{KEY.name}.journal").read_bytes()
    published(tmp_path)
    assert folder.unfinished() == {}
    (tmp_path / f"{KEY.name}.journal").write_bytes(journal)  # killed before it was removed
    assert folder.unfinished() == {}
    os.truncate(tmp_path / f"{KEY.name}.store", 5000)
    assert folder.explain_miss(KEY) == (
        f"cache: the entry of these images, {KEY.name}, cannot be used: the store has 5000 bytes, "
        f"needed {LAYOUT.total_bytes}"
    )


# ------------------------------------------------------------------ list, verify, clear


def test_the_manifest_has_the_parts_and_a_checksum_of_each_range(tmp_path):
    published(tmp_path)
    manifest = json.loads((tmp_path / f"{KEY.name}.json").read_text())
    assert manifest["version"] == 3
    assert manifest["parts"] == dict(KEY.parts)
    assert manifest["layout"] == LAYOUT.to_json()
    assert manifest["ranges"] == [
        [first, last, xxhash.xxh3_64_hexdigest(ROWS[first:last].tobytes())]
        for first, last in ((0, 2), (2, 5))
    ]


def test_verify_names_the_windows_that_are_damaged(tmp_path):
    published(tmp_path)
    folder = CacheFolder(tmp_path)
    assert folder.damage(KEY.name) is None
    with (tmp_path / f"{KEY.name}.store").open("r+b") as file:
        file.seek(HEADER_BYTES + 7)
        file.write(b"\xff")
    assert folder.damage(KEY.name) == "windows 0 to 1 have other bytes than were written"
    assert folder.damage(KEY.name, full=False) is None


def test_the_policy_says_how_much_is_looked_at(tmp_path):
    published(tmp_path)
    with (tmp_path / f"{KEY.name}.store").open("r+b") as file:
        file.seek(HEADER_BYTES + 7)
        file.write(b"\xff")
    assert StoreCache(tmp_path, "size").find(KEY.name, LAYOUT) is not None
    assert StoreCache(tmp_path, "full").find(KEY.name, LAYOUT) is None
    with pytest.raises(
        ConfigError, match=r"cache\.verify='ful' is not known; allowed: size, full; type cache\.v"
    ):
        StoreCache(tmp_path, "ful")


def test_an_entry_is_described(tmp_path):
    published(tmp_path)
    found = CacheFolder(tmp_path).describe(KEY.name)
    assert re.fullmatch(
        r" *4\.03 KiB +0 seconds old +5 x 2 x 3 uint8  format=2 image_size=3", found
    )
    then = time.time() - 7200
    os.utime(tmp_path / f"{KEY.name}.json", (then, then))
    assert "   2 hours old  " in CacheFolder(tmp_path).describe(KEY.name)


def test_clear_removes_its_own_files_only(tmp_path):
    published(tmp_path)
    published(tmp_path, key_of(image_size=4))
    cut_off(tmp_path, (0, 2), key=key_of(image_size=5))
    set_aside(tmp_path / f"{KEY.name}.store")
    write_whole(tmp_path / f"{'a' * 32}.windows", [b"x"])
    (tmp_path / f"{'a' * 32}.windows.24.bounds").write_text("[]")
    (tmp_path / f"{KEY.name}.lock").touch()  # its holder was killed
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / f"{'a' * 32}.txt").write_text("mine")
    folder = CacheFolder(tmp_path)
    kinds = folder.sizes()
    assert min(kinds.values()) > 0
    assert sum(kinds.values()) == sum(
        path.stat().st_blocks * 512
        for path in tmp_path.iterdir()
        if path.name not in ("notes.json", f"{'a' * 32}.txt")
    )
    assert folder.clear() == (sum(kinds.values()), [])
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{'a' * 32}.txt", "notes.json"]


def test_clear_leaves_what_is_being_built(tmp_path):
    published(tmp_path, key_of(image_size=4))
    with StoreCache(tmp_path).claim(KEY, LAYOUT) as writer:
        freed, left = CacheFolder(tmp_path).clear()
        assert freed > 0
        assert [path.suffix for path in left] == [".journal", ".lock", ".part"]
        fill(writer, 0, 5)
        assert np.array_equal(writer.seal().array, ROWS)
    assert names(tmp_path) == [".json", ".store"]


# ------------------------------------------------------------------ the folder


def test_nothing_is_made_before_something_is_built(tmp_path):
    folder = tmp_path / "new"
    assert StoreCache(folder).find(KEY.name, LAYOUT) is None
    assert not StoreCache(folder).has(KEY.name)
    assert "is empty" in CacheFolder(folder).explain_miss(KEY)
    assert CacheFolder(folder).clear() == (0, [])
    assert not folder.exists()


def test_a_file_that_cannot_be_written_whole_is_not_there_at_all(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "x", [b"abc"])
    assert list(tmp_path.iterdir()) == []


def test_a_home_folder_is_written_as_a_shell_does(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert StoreCache(Path("~/cache")).folder == CacheFolder(Path("~/cache")).folder
    assert StoreCache(Path("~/cache")).folder == tmp_path / "cache"


def test_a_valid_entry_needs_no_lock(tmp_path):
    cache = published(tmp_path)
    with locked(tmp_path / f"{KEY.name}.lock"):
        assert cache.has(KEY.name)
        assert np.array_equal(cache.find(KEY.name, LAYOUT).array, ROWS)


def test_a_folder_in_which_everybody_can_write_is_used_and_said(tmp_path):
    published(tmp_path)
    tmp_path.chmod(0o777)
    with pytest.warns(CacheWarning, match=f"everybody can write in .*type chmod go-w {tmp_path}"):
        assert StoreCache(tmp_path).find(KEY.name, LAYOUT) is not None
    tmp_path.chmod(0o1777)  # as /tmp: others cannot rename what is ours
    assert StoreCache(tmp_path).find(KEY.name, LAYOUT) is not None


@pytest.mark.parametrize("whose", ["a stranger's", "for everybody to change", "the owner's"])
def test_files_that_others_could_have_put_there_are_not_used(tmp_path, whose):
    if os.getuid():
        pytest.skip("only root can give files away")
    cache = published(tmp_path)
    store = tmp_path / f"{KEY.name}.store"
    if whose == "for everybody to change":
        store.chmod(0o602)
    else:
        os.chown(store, 65534, -1)
    if whose == "the owner's":  # a cache that somebody prepared
        os.chown(tmp_path, 65534, -1)
        assert cache.find(KEY.name, LAYOUT) is not None
        return
    assert cache.find(KEY.name, LAYOUT) is None
    with pytest.warns(CacheWarning, match="belongs to user 65534|everybody can change"):
        published(tmp_path)


def test_a_refusal_names_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    claim = StoreCache(tmp_path / "file" / "x").claim(KEY, LAYOUT)
    with pytest.raises(StoreFullError, match=r"cache\.dir=.*/file/x does not take them: Not a dir"):
        claim.__enter__()
