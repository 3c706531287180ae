"""docs/sources.md: its commands are typed, in order and in one folder."""

import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from postgres_server import running
from preloaded import MODULE, TRAIN, run

pytest.importorskip("adbc_driver_sqlite")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sources.md").read_text()
OWN = ("A database", "Frames in memory")
"""Sections that need nothing but a database."""


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks():
    text = "\n".join(map(section, OWN))
    return re.findall(r"```(python|bash)\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def server():
    with running() as found:
        yield found


def copied(server, folder):
    """The tables of the page's file on the server, and the join as a view."""
    import sqlite3

    server.execute(
        "CREATE TABLE readings (time timestamp, supply float8, valve numeric)",
        "CREATE TABLE faults (start timestamp, stop timestamp, name text)",
    )
    with sqlite3.connect(folder / "plant.db") as plant:
        for name in ("readings", "faults"):
            rows = plant.execute(f"SELECT * FROM {name}").fetchall()
            listed = ", ".join(str(row) for row in rows)
            server.execute(f"INSERT INTO {name} VALUES {listed}")
    plant.close()
    server.execute(f"CREATE VIEW readings_with_faults AS {(folder / 'week.sql').read_text()}")


@pytest.mark.slow
def test_the_commands_of_the_page_run(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANT_URI", server.uri)
    names, said = {}, []
    for kind, text in blocks():
        if kind == "python":
            exec(compile(text, "docs/sources.md", "exec"), names)
            continue
        if "PLANT_URI" in text:
            copied(server, tmp_path)
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words[0] != "python":
                assert words[0] == "read", line  # what is secret is typed
                continue
            program = (TRAIN,) if words[1] == "train.py" else MODULE
            rest = words[2:] if words[1] == "train.py" else words[3:]
            said.append(run(*rest, cwd=tmp_path, program=program))
    inspected, _, judged, on_server, judged_there = said
    for text in (inspected, on_server):
        assert "windows  48 of 48 steps, 2 channels" in text
        assert re.search(r"leak +\d", text)
    assert "in predictions" in judged
    totals = [text.splitlines()[-1].partition(":")[0] for text in (judged, judged_there)]
    assert totals[0] == totals[1]
    assert pl.read_csv(tmp_path / "predictions/predictions.csv").height == 48
    told = capsys.readouterr().out
    assert "('good', 'leak') {'train': " in told
    assert "windows  48 of 48 steps" in told
    assert names["dm"].num_classes == 2
