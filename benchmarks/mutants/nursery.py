"""A process that has imported what takes seconds, and forks one session of pytest after another.

    python nursery.py MODULE ...

It imports the modules, then takes orders from its standard input, a line of JSON each: ``tree`` to
run in, ``environment``, ``arguments`` of pytest, ``output`` file. It answers with the id of the new
process, and with its status once it has ended (of a signal, its negative number). It forks while
it has one thread, and the tests find neither this file nor its streams.
"""

import contextlib
import gc
import json
import os
import runpy
import sys
import tempfile
from importlib import import_module
from typing import Any


def main(modules: list[str]) -> None:
    """Fork a session an order, until the orders end."""
    sys.path.pop(0)  # the folder of this file
    for name in modules:
        with contextlib.suppress(ImportError):  # the tests say what is missing, or do without
            import_module(name)
    gc.freeze()  # pages of what is there stay shared
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become_pytest(order)  # ends by SystemExit, so what is registered for it is done
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become_pytest(order: dict[str, Any]) -> None:
    """What `python -m pytest` finds in a process of its own."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115, what was read ahead are orders
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["tree"])
    sys.path[:0] = [order["tree"], *order["environment"]["PYTHONPATH"].split(os.pathsep)]
    sys.argv = ["pytest", *order["arguments"]]
    tempfile.tempdir = None  # another folder by now
    if "numba" in sys.modules:  # it has read its variables
        sys.modules["numba"].core.config.reload_config()
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
