"""What was found alone while files were read: each thing once, with the files it is true of."""

SHOWN = 3


class Notes:
    """Sentences, each with its files, in the order in which they came.

    Example:
        >>> notes = Notes()
        >>> for name in ("a.csv", "b.csv"):
        ...     notes.add("cells are separated by tabs", name)
        >>> notes.lines()
        ['cells are separated by tabs: a.csv, b.csv']
    """

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}

    def add(self, what: str, file: str | None = None) -> None:
        """Say something of a file, or of the folder."""
        files = self._files.setdefault(what, [])
        if file is not None and file not in files:
            files.append(file)

    def extend(self, other: "Notes") -> None:
        """Say what another list says.

        Example:
            >>> one, other = Notes(), Notes()
            >>> other.add("cells are separated by tabs", "b.csv")
            >>> one.extend(other)
            >>> one.lines()
            ['cells are separated by tabs: b.csv']
        """
        for what, files in other._files.items():
            own = self._files.setdefault(what, [])
            own += [file for file in files if file not in own]

    def lines(self) -> list[str]:
        """One sentence a thing; after three files the others are counted."""
        return [f"{what}{_listed(files)}" for what, files in self._files.items()]


def _listed(files: list[str]) -> str:
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return f": {', '.join(files[:SHOWN])}{more}" if files else ""
