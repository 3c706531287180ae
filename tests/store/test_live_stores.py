import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dualgaf.errors import FallbackWarning, HandleError
from dualgaf.store import live_stores
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.store.live_stores import LiveStores, build_lock, check_owner, is_held, usual_folder

pytestmark = pytest.mark.usefixtures("leaves_nothing")
NAME = "ab" * 16
LAYOUT = StoreLayout(5, (3,), "uint8")


def a_store(place="memfd", layout=LAYOUT):
    with open_writer(layout, [place]) as writer:
        rows = np.arange(layout.data_bytes, dtype=np.uint8).reshape(layout.n_rows, -1)
        writer.write_rows(0, rows)
        return writer.seal()


@pytest.fixture
def place(tmp_path):
    return LiveStores(tmp_path / "mine")


def names(place):
    return sorted(path.name for path in place.folder.iterdir())


@pytest.mark.parametrize("kind", ["memfd", "file"])
def test_what_is_published_is_found_as_the_same_memory(place, kind):
    store = a_store(kind)
    place.publish(NAME, store)
    found = place.find(NAME, LAYOUT)
    np.testing.assert_array_equal(found.array, store.array)
    assert found.handle.files[0].inode == store.handle.files[0].inode
    assert found.backing == kind
    assert place.is_held(NAME)
    assert not place.is_held("cd" * 16)
    assert [p.stat().st_mode & 0o777 for p in place.folder.iterdir()] == [0o600]


def test_a_store_that_is_being_built_counts_as_held(place):
    with place.locked(NAME):
        assert place.is_held(NAME)
        assert not place.is_held("cd" * 16)
    assert not place.is_held(NAME)
    (place.folder / f"{NAME}.{place._node}.lock").touch()  # of a builder that was killed
    assert not place.is_held(NAME)


def test_a_handle_goes_with_its_store(place):
    store = a_store()
    place.publish(NAME, store)
    store.close()
    assert names(place) == []
    dropped = a_store()
    place.publish(NAME, dropped)
    del dropped
    assert names(place) == []


def test_private_memory_is_not_published(place):
    place.publish(NAME, a_store("private"))
    assert names(place) == []
    assert place.find(NAME, LAYOUT) is None


def test_a_forked_child_does_not_take_the_handle_of_its_parent_away(place):
    store = a_store()
    place.publish(NAME, store)
    child = os.fork()
    if child == 0:
        store.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert place.is_held(NAME)


def write(place, text, pid=None, node=None):
    path = place.folder / f"{NAME}.{node or place._node}.{pid or os.getpid()}.handle"
    path.write_bytes(text)
    return path


JUNK = [b"", b"{", b"[]", b"null", b"{}", b"\x80\x04N.", b"1" * 100_000, b"[" * 50_000]


@pytest.mark.parametrize("text", JUNK, ids=range(len(JUNK)))
def test_junk_is_no_handle_and_is_removed(place, text):
    path = write(place, text)
    assert place.find(NAME, LAYOUT) is None
    assert not path.exists()


def test_a_store_of_another_layout_is_not_taken(place):
    store = a_store()
    place.publish(NAME, store)
    assert place.find(NAME, replace(LAYOUT, dtype="int8")) is None


def test_a_link_in_place_of_a_handle_is_not_followed(place, tmp_path):
    store = a_store()
    place.publish(NAME, store)
    (handle,) = place.folder.iterdir()
    handle.rename(tmp_path / "elsewhere")
    handle.symlink_to(tmp_path / "elsewhere")
    assert place.find(NAME, LAYOUT) is None


def dead_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_the_dead_left_is_swept_and_what_other_machines_have_is_not(place):
    gone, elsewhere = write(place, b"{}", dead_pid()), write(place, b"{}", dead_pid(), "0" * 16)
    lock = place.folder / f"{'cd' * 16}.{place._node}.lock"
    lock.touch()
    assert not place.is_held(NAME)
    store = a_store()
    place.publish(NAME, store)
    assert not gone.exists()
    assert not lock.exists()
    assert elsewhere.exists()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o711])
def test_a_folder_that_others_can_enter_is_refused(tmp_path, mode):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(HandleError, match=r"open to others.*chmod 700"):
        LiveStores(folder)


def test_a_link_a_file_and_the_folder_of_another_user_are_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(HandleError, match="is a link or a file"):
            LiveStores(tmp_path / name)
    if os.getuid() == 0:
        os.chown(tmp_path / "real", 65534, 65534)
        with pytest.raises(HandleError, match="belongs to user 65534, not to 0"):
            LiveStores(tmp_path / "real")


def test_a_folder_that_others_could_rename_is_refused(tmp_path):
    (tmp_path / "everybody").mkdir()
    (tmp_path / "everybody").chmod(0o777)
    with pytest.raises(HandleError, match="others can rename it"):
        LiveStores(tmp_path / "everybody" / "mine")
    (tmp_path / "everybody").chmod(0o1777)  # as /tmp: only owners rename
    check_owner(LiveStores(tmp_path / "everybody" / "mine").folder)


def test_where_the_usual_folder_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert usual_folder() == tmp_path / "dualgaf"
    monkeypatch.setattr(live_stores.tempfile, "gettempdir", lambda: "/usual")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "not there"))
    assert usual_folder() == Path(f"/usual/dualgaf-{os.getuid()}")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert usual_folder() == Path(f"/usual/dualgaf-{os.getuid()}")


def publish_in_turn(store):
    with build_lock(NAME, LAYOUT, lambda: None) as turn:
        turn.publish(store)
        return turn.found


def test_without_a_folder_it_is_everybodys_turn_with_one_warning(tmp_path, monkeypatch):
    (tmp_path / "dualgaf").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    store = a_store()
    with pytest.warns(FallbackWarning, match=r"cannot share their images: .*is a link or a file"):
        assert publish_in_turn(store) is None
    assert not is_held(NAME)


def test_a_full_disk_costs_the_sharing_only(monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live_stores.json, "dump", full)
    store = a_store()
    with pytest.warns(FallbackWarning, match="No space left"):
        publish_in_turn(store)
    assert not is_held(NAME)


def test_a_long_wait_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(live_stores, "SILENT_S", 0.0)
    waited = []

    def wait():
        waited.append(1)
        if len(waited) == 4:
            raise RuntimeError

    caplog.set_level("INFO")
    with (
        build_lock(NAME, LAYOUT, lambda: None),
        pytest.raises(RuntimeError),
        build_lock(NAME, LAYOUT, wait),
    ):
        pass
    assert caplog.text.count("another process of this machine builds these images") == 1
