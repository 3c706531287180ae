"""Follows tutorials as a reader does: blocks of code alone, in order, in an empty environment.

    python docs/follow.py                  # each of TUTORIALS
    python docs/follow.py plant hydra      # these
    python docs/follow.py --here plant     # with the Python that runs this, nothing installed

What git knows of this tree is copied into an empty folder; the first block of docs/start.md makes
the environment there. Then every block of a page is typed, each page in a copy of its own:

1. ``bash``: as it stands. A block that takes long says so on the page, and is in `LEFT_OUT`.
2. ``python``: blocks that follow each other, with no command between, are one program. One that
   begins with a comment ``# NAME.py`` is written into that file and not run.
3. ``text`` after one of them: what it prints. Lines of ``...`` stand for any lines, at the end
   of one for the rest of it. Numbers may differ, for machines do; words may not.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
TUTORIALS = ("start", "plant", "archive", "lightning", "hydra")
LEFT_OUT = ("python train.py -m sweep=chunk_size",)
"""Minutes of work, see the page."""
BLOCK = re.compile(r"^```(bash|python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (\w+\.py)\n")
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
NEXT = "\x1e"
"""Printed between blocks of one program."""


@dataclass
class Block:
    """A block of code, and what the page says that it prints."""

    kind: str
    text: str
    shown: str = ""
    said: str = field(default="", compare=False)
    """What it has printed here."""


def blocks(page: str) -> list[Block]:
    """The blocks of a page in order; one of ``text`` belongs to the one before it."""
    found: list[Block] = []
    for kind, text in BLOCK.findall(page):
        if kind != "text":
            found.append(Block(kind, text))
        elif found and not found[-1].shown and not text.startswith("$ "):
            found[-1].shown = text
    return found


def programs(found: list[Block]) -> Iterator[list[Block]]:
    """What is run in one go."""
    own: list[Block] = []
    for block in found:
        if own and (block.kind, own[0].kind) != ("python", "python"):
            yield own
            own = []
        own.append(block)
    if own:
        yield own


def follow(page: str, folder: Path, environment: Mapping[str, str]) -> list[Block]:
    """Type all blocks of a page in ``folder``; what each has said is in it.

    Raises:
        AssertionError: a command fails, or does not say what the page shows.
    """
    found = blocks(page)
    for own in programs(found):
        if own[0].kind == "bash":
            if own[0].text.strip() in LEFT_OUT:
                continue
            own[0].said = _run(["bash", "-e", "-c", own[0].text], folder, environment)
        else:
            _run_python(own, folder, environment)
        for block in own:
            missing = unsaid(block.shown, block.said)
            assert missing is None, f"{block.text}does not say {missing!r}, but:\n{block.said}"
    return found


def _run_python(own: list[Block], folder: Path, environment: Mapping[str, str]) -> None:
    code = []
    for block in own:
        name = FILE.match(block.text)
        if name:
            (folder / name[1]).write_text(block.text)
        code.append(f"{'' if name else block.text}\nprint({NEXT!r}, flush=True)\n")
    program = folder / "followed.py"
    program.write_text("".join(code))
    said = _run(["python", program.name], folder, environment).split(f"{NEXT}\n")
    for block, text in zip(own, said, strict=False):
        block.said = text


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[-1]}\nended with {done.returncode}\n{done.stdout}"
    return done.stdout


def masked(line: str) -> str:
    """A line without its numbers and its spaces."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", line)).strip()


def parts(shown: str) -> list[list[str]]:
    """Lines of a ``text`` block between those of ``...``."""
    found: list[list[str]] = [[]]
    for line in shown.splitlines():
        if line.strip() == "...":
            found.append([])
        else:
            found[-1].append(line)
    return [part for part in found if part]


def unsaid(shown: str, said: str) -> str | None:
    """The first line that is shown and was not said, None where there is none."""
    lines, at = said.splitlines(), 0
    for part in parts(shown):
        found = place(part, lines, at)
        if found is None:
            return next((line for line in part if place([line], lines, at) is None), part[0])
        at = found + len(part)
    return None


def place(part: list[str], lines: list[str], at: int) -> int | None:
    """Where lines that follow each other are said, from line ``at`` on."""
    wanted, said = [masked(line) for line in part], [masked(line) for line in lines]
    for k in range(at, len(said) - len(wanted) + 1):
        if all(map(_is_shown, wanted, said[k : k + len(wanted)])):
            return k
    return None


def _is_shown(shown: str, said: str) -> bool:
    return said == shown or (shown.endswith("...") and said.startswith(shown[:-3].rstrip()))


def written(page: str, found: list[Block]) -> str:
    """The page with the numbers that were said now."""
    for block in found:
        if not block.shown:
            continue
        lines, at, new = block.said.splitlines(), 0, block.shown
        for part in parts(block.shown):
            found_at = place(part, lines, at)
            assert found_at is not None  # `follow` has looked
            at = found_at + len(part)
            now = [
                old if old.endswith("...") else line.rstrip()
                for old, line in zip(part, lines[found_at:at], strict=True)
            ]
            new = new.replace("\n".join(part), "\n".join(now), 1)
        page = page.replace(f"```text\n{block.shown}```", f"```text\n{new}```", 1)
    return page


def copied(folder: Path) -> None:
    """What git knows of this tree, with changes that are not committed."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def environment_of(binaries: Path, **more: str) -> dict[str, str]:
    """That of a shell in which an environment is active."""
    return {**os.environ, **more, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}


def main() -> None:
    """Follow the pages that are typed, each in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", default=TUTORIALS)
    parser.add_argument("--here", action="store_true", help="install nothing")
    typed = parser.parse_args()
    with tempfile.TemporaryDirectory() as parent:
        install, *_ = blocks((DOCS / "start.md").read_text())
        binaries = Path(sys.executable).parent
        if not typed.here:
            first = Path(parent, "dualgaf")
            copied(first)
            _run(["bash", "-e", "-c", install.text], first, without_python())
            binaries = first / ".venv" / "bin"
        for name in typed.pages:
            clone = Path(parent, name, "dualgaf")
            copied(clone)
            page = (DOCS / f"{name}.md").read_text().replace(install.text, "true\n")
            active = environment_of(binaries, PYTHONPATH=str(clone / "src"))
            print(f"{name}: {len(follow(page, clone, active))} blocks followed", flush=True)


def without_python() -> dict[str, str]:
    """The environment of a shell that knows of no Python but the system's."""
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != own)
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")} | {
        "PATH": path
    }


if __name__ == "__main__":
    main()
