"""What the tests of the cache start: a build in a process of its own, and one that kills itself.

build FOLDER {"chunk_size": 7, ...}     build once; one line of JSON says how it went
kills FOLDER whole|torn                 for every k, a process that SIGKILLs itself at its k-th
                                        call that changes something in the folder, then one that
                                        goes on; a line of JSON for each k
"""

import fcntl
import json
import os
import resource
import signal
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash

from dualgaf.build import build_store, explain_miss, store_key
from dualgaf.errors import StoreFullError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.plan.preset import HardwarePreset
from dualgaf.pool.settings import PoolSettings
from dualgaf.store.cache_writer import CacheWriter
from fills import images_of, windows_of

RECIPE = ImagingRecipe(8)
CALLS = {
    os: ("open", "mkdir", "ftruncate", "pwrite", "write", "fsync", "rename", "unlink"),
    fcntl: ("lockf",),
}
TORN = ("pwrite", "write")


def windows(n=42):
    return windows_of(n)


def planned(n, cache_dir, chunk_size=7, backend="serial", n_jobs=1):
    request = BuildRequest(n, 2, 16, RECIPE, batch_size=8)
    settings = PoolSettings(chunk_size=chunk_size, backend=backend, n_jobs=n_jobs)
    return make_plan(request, HardwarePreset("mine"), settings, cache_dir)


@dataclass(frozen=True)
class Faults:
    """What happens to a build."""

    user: int = 0
    """Whose it is; 0 stays root."""
    home: str = ""
    """A folder of that user."""
    ballast: int = 0
    """Bytes that somebody else writes into the folder once the plan is made."""
    file_limit: int = 0
    """RLIMIT_FSIZE."""
    kill_after: int = 0
    """Calls of ``progress`` until the process kills itself."""

    def become_user(self):
        if self.user:  # the interpreter and its library may lie where only root can read
            images_of(windows(), RECIPE)
            os.setgroups([])
            os.setgid(self.user)
            os.setuid(self.user)
            os.environ["XDG_RUNTIME_DIR"] = self.home

    def happen(self, folder):
        if self.ballast:
            (folder / "ballast").write_bytes(bytes(self.ballast))
        if self.file_limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_limit, self.file_limit))


def build(folder, n=42, verify="size", faults=None, **settings):
    """Build, and say how it went."""
    faults = Faults(**(faults or {}))
    faults.become_user()
    data, drawn, finished = windows(n), [], []
    tell = CacheWriter.rows_are_there

    def told(self, first, last):
        tell(self, first, last)
        drawn.append((first, last))

    def progress(rows):
        finished.append(rows)
        if len(finished) == faults.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    CacheWriter.rows_are_there = told
    plan = planned(n, folder, **settings)
    why = explain_miss(store_key(data, RECIPE), folder)
    faults.happen(folder)
    found = {"why": why, "drawn": drawn, "finished": finished, "cached": plan.place == "cache"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            store, report = build_store(data, plan, cache_verify=verify, progress=progress)
        except StoreFullError as error:
            found["error"] = str(error)
        else:
            same = np.array_equal(store.array, images_of(data, RECIPE))
            found |= {"cache": report.cache, "backing": report.backing, "same": same}
            found["backend"] = report.backend
    told_of = [(warning.category.__name__, str(warning.message)) for warning in caught]
    return {**found, "warnings": told_of, "left": names_in(folder)}


def names_in(folder):
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def kills(folder, torn):
    """Every k; the kernel is compiled before, so that a process costs a fork."""
    images_of(windows(), RECIPE)
    build(folder / "warm")
    k = 0
    while True:
        k += 1
        own = folder / str(k)
        status = in_fork(lambda own=own, k=k: build_until(own, k, torn), own.with_suffix(".out"))
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return
        assert os.WTERMSIG(status) == signal.SIGKILL
        found = {"k": k, "call": own.with_suffix(".call").read_text(), "good": good_lines(own)}
        found["there"] = sorted(path.name[32:] for path in own.iterdir()) if own.is_dir() else []
        size = 5 if k % 2 else 7
        result = own.with_suffix(".next")
        status = in_fork(lambda own=own, size=size: build(own, chunk_size=size), result)
        assert status == 0
        print(json.dumps({**found, "size": size, "next": json.loads(result.read_text())}))


def build_until(folder, k, torn):
    """A build that kills itself just before its k-th change in the folder, or half way in it."""
    count, note = 0, folder.with_suffix(".call")

    def counted(module, name):
        original = getattr(module, name)

        def call(target, *arguments, **keywords):
            nonlocal count
            if is_inside(target, folder):
                count += 1
                if count == k:
                    note.write_text(name)
                    if torn:
                        data, *where = arguments
                        original(target, memoryview(data)[: len(data) // 2], *where)
                    os.kill(os.getpid(), signal.SIGKILL)
            return original(target, *arguments, **keywords)

        setattr(module, name, call)

    for module, names in CALLS.items():
        for name in names:
            if not torn or name in TORN:
                counted(module, name)
    return build(folder)


def is_inside(target, folder):
    if isinstance(target, int):
        try:
            target = Path(f"/proc/self/fd/{target}").readlink()
        except OSError:
            return False
    path = os.fspath(target)
    return path == str(folder) or path.startswith(f"{folder}/")


def good_lines(folder):
    """Rows of the lines of the journal whose bytes in the part are as the line says."""
    for journal in folder.glob("*.journal"):
        data = b""
        for kind in (".store", ".part"):
            if journal.with_suffix(kind).exists():
                data = journal.with_suffix(kind).read_bytes()
        row = RECIPE.row_bytes(2)
        lines = [line.rpartition(b" ") for line in journal.read_bytes().split(b"\n")]
        whole = [text for text, _, end in lines if xxhash.xxh3_64_hexdigest(text).encode() == end]
        return [
            (first, last)
            for first, last, check in map(json.loads, whole[1:])
            if xxhash.xxh3_64_hexdigest(data[4096 + first * row : 4096 + last * row]) == check
        ]
    return []


def in_fork(work, output):
    """Do it in a forked process; returns how that ended."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            output.write_text(json.dumps(work()))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1]


if __name__ == "__main__":
    command, where, option = sys.argv[1:]
    if command == "build":
        print(json.dumps(build(Path(where), **json.loads(option))))
    else:
        kills(Path(where), option == "torn")
