"""Processes of one machine that want the same store: who builds, who waits, who is believed."""

import json
import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest
import xxhash

from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.store.live_stores import usual_folder
from fills import images_of, windows_of
from preloaded import start
from programs import ROOT, SEARCH_PATH, shared_bytes

WINDOWS = {"n": 3000, "channels": 4, "steps": 48}
RECIPE = ImagingRecipe(48)
STORE_BYTES = 3000 * 2 * 4 * 48 * 48

PROGRAM = """
import json, logging, os, sys, time
from pathlib import Path
import xxhash
from dualgaf.build import build_store
from dualgaf.plan.preset import HardwarePreset
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.pool.settings import PoolSettings
from dualgaf.store import live_stores
from fills import images_of, windows_of
from programs import SEARCH_PATH, shared_bytes

sizes, image_size, hang_at, cache, user, forks = json.loads(sys.argv[1])
logging.basicConfig(stream=sys.stdout, level="INFO", format="%(message)s")
live_stores.SILENT_S = 0.0
windows, recipe = windows_of(**sizes), ImagingRecipe(image_size)
settings = PoolSettings(chunk_size=100, n_jobs=1, backend="thread")
request = BuildRequest(len(windows), windows.n_channels, windows.window_size, recipe)
plan = make_plan(request, HardwarePreset("mine"), settings, cache and Path(cache))
done = []

def progress(rows):
    done.append(rows)
    if len(done) == hang_at:
        child = os.fork() if forks else None
        if child != 0:
            print("hangs", child, flush=True)
        while True:  # one long wait would miss a signal that comes just before it
            time.sleep(0.05)

if user:  # what only root can read is loaded before
    images_of(windows_of(**{**sizes, "n": 5}), recipe)
    os.setgid(user)
    os.setuid(user)
store, report = build_store(windows, plan, progress=progress)
print(json.dumps({
    "cache": report.cache, "backing": report.backing, "chunks": len(done),
    "hash": xxhash.xxh3_64_hexdigest(store.array), "inode": store.handle.files[0].inode,
}), flush=True)
sys.stdin.read()
"""


class Builder:
    """A process that builds the store, says so and holds it until it is told to end."""

    def __init__(self, hang_at=0, cache=None, user=0, forks=False):
        options = [hang_at, cache and str(cache), user, forks]
        asked = json.dumps([WINDOWS, RECIPE.image_size, *options])
        self.process = start(asked, cwd=ROOT, program=("-c", PROGRAM), listens=True)

    def says(self, text):
        """Wait for a line with this text."""
        for line in map(bytes.decode, self.process.stdout):
            if text in line:
                return line
        raise AssertionError(f"ended with {self.process.wait()} without {text!r}")

    def result(self):
        """What it built or found; it has it until it is told to end."""
        return json.loads(self.says('"inode"'))

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(30)


@contextmanager
def builders(count, **options):
    started = [Builder(**options) for _ in range(count)]
    try:
        yield started
    finally:
        for builder in started:
            builder.process.kill()
            builder.end()


pytestmark = pytest.mark.timeout(90)


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", SEARCH_PATH)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture(scope="module")
def expected():
    return xxhash.xxh3_64_hexdigest(images_of(windows_of(**WINDOWS), RECIPE))


@pytest.mark.fault(28)
def test_of_eight_that_race_one_builds_and_all_read_the_same_memory(expected, injected):
    injected(8)
    with builders(8) as racers:
        results = [racer.result() for racer in racers]
        assert sorted(result["cache"] for result in results) == ["hit"] * 7 + ["off"]
        assert sorted(result["chunks"] for result in results) == [0] * 7 + [30]
        assert {result["hash"] for result in results} == {expected}
        assert len({result["inode"] for result in results}) == 1
        taken = sum(shared_bytes(racer.process.pid) for racer in racers)
        assert taken == pytest.approx(STORE_BYTES, rel=0.02)
        assert [racer.end() for racer in racers] == [0] * 8
    assert not list(usual_folder().iterdir())


@pytest.mark.fault(28)
def test_of_eight_that_race_for_the_cache_one_builds(expected, injected, tmp_path):
    injected(8)
    with builders(8, cache=tmp_path / "cache") as racers:
        results = [racer.result() for racer in racers]
        assert sorted(result["cache"] for result in results) == ["hit"] * 7 + ["miss"]
        assert {result["hash"] for result in results} == {expected}
        assert len({result["inode"] for result in results}) == 1
        assert [racer.end() for racer in racers] == [0] * 8
    assert not list(usual_folder().iterdir())


@pytest.mark.fault(20)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_when_the_builder_dies_the_next_one_builds(expected, injected, how):
    injected(2)
    first = Builder(hang_at=3)
    first.says("hangs")
    second = Builder(hang_at=3)
    second.says("another process of this machine builds these images")
    first.process.send_signal(how)
    second.says("hangs")
    with builders(2) as others:
        for other in others:
            other.says("another process of this machine builds these images")
        second.process.send_signal(how)
        results = [other.result() for other in others]
        assert sorted(result["cache"] for result in results) == ["hit", "off"]
        assert {result["hash"] for result in results} == {expected}
        assert len({result["inode"] for result in results}) == 1
    statuses = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: -2}
    assert [first.end(), second.end()] == [statuses[how]] * 2


@pytest.mark.fault(31)
def test_a_child_that_a_killed_builder_has_forked_keeps_nobody_waiting(expected, tmp_path):
    first = Builder(hang_at=3, forks=True, cache=tmp_path / "cache")
    child = int(first.says("hangs").split()[1])
    try:
        first.process.kill()
        assert first.process.wait() == -signal.SIGKILL
        with builders(1, cache=tmp_path / "cache") as (second,):
            result = second.result()
            assert (result["cache"], result["hash"]) == ("miss", expected)
        os.kill(child, 0)  # it lives
    finally:
        os.kill(child, signal.SIGKILL)
    first.end()


@pytest.mark.fault(20)
def test_the_store_lives_on_when_its_builder_is_killed(expected):
    with builders(1) as (first,):
        assert first.result()["cache"] == "off"
        with builders(1) as (second,):
            assert second.result()["cache"] == "hit"
            first.process.kill()
            first.process.wait()
            with builders(1) as (third,):
                result = third.result()
                assert (result["cache"], result["hash"]) == ("hit", expected)


def leave_handle(name, pid, handle):
    (usual_folder() / name.format(pid=pid)).write_text(json.dumps(handle))


@pytest.fixture
def left_handle():
    """The handle of a builder that was killed, and the name of its file with {pid}."""
    with builders(1) as (builder,):
        builder.result()
        builder.process.kill()
        builder.process.wait()
        (path,) = usual_folder().glob("*.handle")
        handle = json.loads(path.read_text())
        assert handle["pid"] == builder.process.pid
    return path.name.replace(f".{handle['pid']}.", ".{pid}."), handle


@pytest.mark.fault(21)
def test_stale_and_forged_handles_are_not_believed(left_handle, expected, injected):
    name, handle = left_handle
    layout = StoreLayout.from_json(handle["layout"])
    with open_writer(layout, ["memfd"]) as writer:  # the same size and name, other bytes
        writer.write_rows(0, np.zeros((7, *layout.row_shape), dtype=np.uint8))
        other = writer.seal()
    mine = {**other.handle.to_json(), "nonce": handle["nonce"]}
    out, into = os.pipe()
    pipe = {
        "descriptor": out,
        "inode": os.fstat(out).st_ino,
        "link": f"pipe:[{os.fstat(out).st_ino}]",
    }
    forged = {
        "a dead process": handle,
        "its number was given anew": {**handle, "pid": os.getpid()},
        "another nonce": mine,
        "another boot": {**mine, "boot": "0" * 36},
        "a pipe": {**mine, "files": [pipe]},
        "a path for a descriptor": {**mine, "files": [{**pipe, "descriptor": "../../etc/passwd"}]},
        "another layout": {**mine, "layout": {**handle["layout"], "n_rows": 10}},
        "no handle": [1, 2, 3],
        "nothing": None,
    }
    injected(len(forged))
    for what, fields in forged.items():
        pid = handle["pid"] if what == "a dead process" else os.getpid()
        leave_handle(name, pid, fields)
        with builders(1) as (builder,):
            result = builder.result()
            assert (result["cache"], result["hash"]) == ("off", expected), what
            assert builder.end() == 0
        assert not list(usual_folder().iterdir()), what
    os.close(out)
    os.close(into)


@pytest.mark.fault(21)
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be two users")
def test_the_store_of_another_user_is_not_opened(expected, tmp_path, monkeypatch):
    with builders(1) as (owner,):
        owner.result()
        (path,) = usual_folder().glob(f"*.{owner.process.pid}.handle")
        handle = json.loads(path.read_text())
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        mine = theirs / "dualgaf"
        mine.mkdir(mode=0o700)
        (mine / path.name).write_text(json.dumps(handle))
        for each in (theirs, mine, mine / path.name):
            os.chown(each, 65534, 65534)
        for folder in (tmp_path, *tmp_path.parents[:2]):  # those that pytest made
            folder.chmod(0o711)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(theirs))
        monkeypatch.setenv("HOME", str(theirs))
        with builders(1, user=65534) as (stranger,):
            result = stranger.result()
            assert (result["cache"], result["hash"]) == ("off", expected)
            assert stranger.end() == 0
