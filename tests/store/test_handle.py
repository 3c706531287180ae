"""Stale and forged handles: refused, and nothing of a stranger is ever opened."""

import dataclasses
import os
import pickle
import socket
import subprocess
import sys

import numpy as np
import pytest

import leaks
from dualgaf.errors import HandleError
from dualgaf.store.backing import open_writer
from dualgaf.store.cache import StoreCache
from dualgaf.store.cache_folder import CacheFolder
from dualgaf.store.fingerprint import StoreKey
from dualgaf.store.handle import open_handle
from dualgaf.store.layout import StoreLayout
from dualgaf.store.store import attach

LAYOUT = StoreLayout(6, (5000,), "uint8")
ROWS = np.random.default_rng(0).integers(0, 256, (6, 5000), dtype=np.uint8)


@pytest.fixture(params=[1, 3], ids=["one file", "three files"])
def store(request, monkeypatch):
    monkeypatch.setattr("dualgaf.store.segments.MIN_SEGMENT_BYTES", 4096)
    with open_writer(LAYOUT, ["memfd"], workers=request.param) as writer:
        writer.write_rows(0, ROWS)
        store = writer.seal()
    assert len(store.handle.files) == request.param
    yield store
    store.close()


def forged(store, **fields):
    """The store's handle with other fields; those of a file go into its last file."""
    of_file = {key: fields.pop(key) for key in ("descriptor", "inode", "link") if key in fields}
    files = store.handle.files
    last = dataclasses.replace(files[-1], **of_file)
    return dataclasses.replace(store.handle, files=(*files[:-1], last), **fields)


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_good_handle_opens_a_file_that_cannot_be_written(store):
    segments = open_handle(store.handle)
    assert segments.map()[4096:] == ROWS.tobytes()
    with pytest.raises(OSError, match="Bad file descriptor"):
        segments.write(b"x", 5000)
    assert not any(map(os.get_inheritable, segments.descriptors))
    segments.close()


def test_a_handle_is_plain_data(store):
    assert pickle.loads(pickle.dumps(store.handle)) == store.handle


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"boot": "another"}, "belongs to another machine, boot or container"),
        ({"pid_namespace": 1}, "belongs to another machine, boot or container"),
        ({"started": "17"}, "no longer holds the store"),
        ({"link": "/memfd:other (deleted)"}, "no longer holds the store"),
        ({"inode": 1}, "names another file than the store"),
        ({"nonce": bytes(16)}, "names another store"),
        ({"layout": StoreLayout(5000, (6,), "uint8")}, "names another store"),
        ({"layout": StoreLayout(5, (5000,), "uint8")}, "names another file than the store"),
        ({"descriptor": 1 << 16}, "is gone or has closed it"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_forged_field_is_refused(store, fields, text):
    with pytest.raises(HandleError, match=text) as caught:
        attach(forged(store, **fields))
    assert "build the store again: call setup()" in str(caught.value)


def test_a_dead_process_is_refused(store):
    pid = dead_pid()
    with pytest.raises(HandleError, match=f"process {pid}, which held the store, is gone"):
        attach(forged(store, pid=pid))


def test_another_process_with_the_same_number_is_refused(store):
    with pytest.raises(HandleError, match="process 1"):
        attach(forged(store, pid=1))


def test_a_closed_store_is_refused(store):
    handle = store.handle
    store.close()
    with pytest.raises(HandleError, match="gone or has closed it"):
        attach(handle)


def test_a_descriptor_given_anew_is_refused(store):
    handle = store.handle
    store.close()
    others = []
    for file in handle.files:  # the same name and number
        other = os.memfd_create("dualgaf-store")
        os.dup2(other, file.descriptor)
        others.extend({other, file.descriptor})
    try:
        with pytest.raises(HandleError, match="names another file than the store"):
            attach(handle)
    finally:
        for descriptor in set(others):
            os.close(descriptor)


@pytest.mark.parametrize("kind", ["socket", "pipe", "file", "null"])
def test_a_strangers_descriptor_is_never_opened(store, kind, tmp_path, monkeypatch):
    path = tmp_path / "named"
    path.write_bytes(LAYOUT.header(b"x" * 16) + ROWS.tobytes())
    ours, theirs = socket.socketpair()
    out, into = os.pipe()
    files = {
        "socket": ours.fileno(),
        "pipe": out,
        "file": os.open(path, os.O_RDONLY),
        "null": os.open(os.devnull, os.O_RDONLY),
    }
    descriptor = files[kind]
    link = leaks.open_files()[str(descriptor)]
    handle = forged(store, descriptor=descriptor, link=link, nonce=b"x" * 16)
    real_open = os.open

    def never(opened, *arguments):
        if opened.name == str(descriptor):
            raise AssertionError(f"opened {opened}")
        return real_open(opened, *arguments)

    monkeypatch.setattr(os, "open", never)
    with pytest.raises(HandleError, match="no longer holds the store"):
        open_handle(handle)
    ours.close()
    theirs.close()
    for number in (out, into, files["file"], files["null"]):
        os.close(number)


def test_an_owner_that_may_not_be_read_is_refused(store, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(HandleError, match=r"cannot be opened: .*Permission denied"):
        open_handle(store.handle)


def test_a_forged_handle_leaves_no_file_open(store):
    before = len(leaks.open_files())
    for _ in range(5):
        with pytest.raises(HandleError):
            attach(forged(store, nonce=bytes(16)))
    assert len(leaks.open_files()) == before


@pytest.mark.parametrize("nameless", [True, False], ids=["O_TMPFILE", "mkstemp"])
def test_files_of_both_kinds_are_found_again(tmp_path, monkeypatch, nameless):
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE")
    with open_writer(LAYOUT, ["file"], tmp_path) as writer:
        writer.write_rows(0, ROWS)
        store = writer.seal()
    np.testing.assert_array_equal(attach(store.handle).array, ROWS)


def test_an_entry_of_the_cache_is_found_by_other_processes(tmp_path):
    cache, key = StoreCache(tmp_path), StoreKey.of({"values": ROWS}, {})
    with cache.claim(key, LAYOUT) as writer:
        writer.write_rows(0, ROWS)
        writer.rows_are_there(0, len(ROWS))
        built = writer.seal()
    found = cache.find(key.name, LAYOUT)
    for store, clear in ((built, False), (found, False), (found, True)):
        if clear:
            CacheFolder(tmp_path).clear()  # who has it mapped may keep it, and pass it on
        code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).array.tolist())"
        done = subprocess.run(
            [sys.executable, "-c", code], input=pickle.dumps(store), capture_output=True, check=True
        )
        assert done.stdout.decode().strip() == str(ROWS.tolist())


def test_a_handle_that_names_no_file_is_refused(store):
    with pytest.raises(HandleError, match="the handle names no file"):
        open_handle(dataclasses.replace(store.handle, files=()))
