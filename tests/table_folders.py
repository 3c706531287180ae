"""Folders of small tables for the tests."""


def folder_of(tmp_path, **files):
    """``a__csv`` is a.csv, ``x_in_a__csv`` lies in folder x, and ``_is_`` is ``=``."""
    for name, text in files.items():
        path = tmp_path / name.replace("__", ".").replace("_in_", "/").replace("_is_", "=")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return tmp_path


def rows_of(*cells, head="time,temp,fault"):
    return head + "\n" + "".join(f"{row}\n" for row in cells)


def hour_of(*values, day="2024-01-12", label="a"):
    """A row every 5 minutes from noon."""
    return [f"{day} 12:{5 * k:02d},{value},{label}" for k, value in enumerate(values)]


def first_channel(series_set):
    return [values[0].tolist() for values in series_set.values]
