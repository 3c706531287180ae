"""Writes docs/findings.md: a paragraph for each script of findings.

    python docs/write_findings.py

What is said is the head of the script, so that both cannot differ. A test compares the page with
what this program makes.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "findings.md"
PARTS = ("Package", "Expected", "Seen", "Here")
HEAD = """# Findings

Made by `python docs/write_findings.py` from the scripts in `findings`; a test compares both.

What other packages do that nobody would guess, with the version in which it was seen. Each script
shows it on any machine with Linux, Python and a package index;
[how a finding is written](finding.md) says what belongs here. A release may have mended it since.
"""
MARKUP = re.compile(r"`[^`]*`|[\\*_<>\[\]]")


@dataclass(frozen=True)
class Finding:
    """The head of a script."""

    script: str
    """Its name."""
    surprise: str
    """What surprises, in one sentence."""
    parts: dict[str, str]
    """The text of each of `PARTS`."""

    @classmethod
    def read(cls, script: Path) -> "Finding":
        """The head of ``script``: a sentence, then the parts, each over one or more lines."""
        head = script.read_text().split("set -euo pipefail")[0].splitlines()[1:]
        lines = [line.removeprefix("#").strip() for line in head]
        texts: dict[str, list[str]] = {"": []}
        for line in lines:
            word, colon, rest = line.partition(":")
            if colon and word in PARTS:
                texts[word], line = [], rest.strip()
            texts[[*texts][-1]].append(line)
        joined = {part: " ".join(filter(None, text)) for part, text in texts.items()}
        return cls(script.name, joined.pop(""), joined)

    @property
    def text(self) -> str:
        """A title, what surprises with the version, and the parts in one paragraph."""
        package, expected, seen, here = (_plain(self.parts[part].rstrip(".")) for part in PARTS)
        title = self.script.removesuffix(".sh").replace("_", " ")
        return (
            f"## {title}\n\n{_plain(self.surprise)} Seen in {package}. *Expected:* {expected}. "
            f"*Seen:* {seen}. *What dualgaf does:* {here}. "
            f"Shown by [{self.script}](../findings/{self.script}).\n"
        )


def _plain(text: str) -> str:
    """A text that Markdown shows as it is; what is in backquotes stays code."""
    return MARKUP.sub(lambda found: found[0] if len(found[0]) > 1 else f"\\{found[0]}", text)


def page() -> str:
    """The page, as it has to be."""
    scripts = sorted((ROOT / "findings").glob("[a-z]*.sh"))
    return "\n".join([HEAD, *(Finding.read(script).text for script in scripts)])


if __name__ == "__main__":
    PAGE.write_text(page())
