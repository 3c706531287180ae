"""Two hosts on one machine: each has a network, processes, a name and a /dev/shm of its own.

Needs root, and Debian's iproute2 and util-linux. `missing` says what is not there.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ADDRESSES = ("10.77.0.1", "10.77.0.2")
_FIRST = """
hostname host$1; mount -t tmpfs -o size=1g tmpfs /dev/shm
export TMPDIR="$2" XDG_RUNTIME_DIR="$2" GLOO_SOCKET_IFNAME="$3"; shift 3
"$@" & child=$!
trap "kill -TERM $child" TERM
while :; do wait $child; code=$?; kill -0 $child 2>/dev/null || exit $code; done
"""
"""The first process of a space gets no signal that it has no handler for: it hands them on."""


def missing() -> str | None:
    """What two hosts need and this machine has not; None where all is there."""
    if os.geteuid() != 0:
        return "two hosts need root, for network namespaces"
    for program in ("ip", "unshare", "setpriv", "mount", "hostname"):
        if shutil.which(program) is None:
            return f"two hosts need the program {program}"
    tried = subprocess.run(
        ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--mount", "--uts", "true"],
        capture_output=True,
        text=True,
    )
    return None if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


class Hosts:
    """Both hosts; made by `two_hosts`."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names

    def start(
        self, host: int, command: Sequence[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        """A command on a host; all that it starts ends with it, and with this process."""
        own = self.folder / f"host{host}"
        own.mkdir(exist_ok=True)
        space = ["unshare", "--pid", "--fork", "--mount-proc", "--mount", "--uts", "--kill-child"]
        inside = ["bash", "-c", _FIRST, "bash", str(host), str(own), self.names[host], *command]
        outside = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self.names[host]]
        return subprocess.Popen(
            [*outside, *space, *inside],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )


@contextmanager
def two_hosts(folder: Path) -> Iterator[Hosts]:
    """Two hosts, joined by a cable of their own; what still runs on them is ended after the block.

    Args:
        folder: each has a folder for temporary files in it.
    """
    names = [f"dg{os.getpid()}h{host}" for host in (0, 1)]  # 15 characters at most
    try:
        for name in names:
            _ip("netns", "add", name)
        _ip("link", "add", names[0], "type", "veth", "peer", "name", names[1])
        for name, address in zip(names, ADDRESSES, strict=True):
            _ip("link", "set", name, "netns", name)
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", name)
            _ip("-n", name, "link", "set", name, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield Hosts(folder, names)
    finally:
        for name in names:
            found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            for pid in map(int, found.stdout.split()):
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", names[0]], capture_output=True)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")
