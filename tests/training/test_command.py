"""Exit statuses of train.py, whatever its program does."""

import signal
from pathlib import Path

import pytest

from dualgaf.cli import main as cli
from dualgaf.errors import ConfigError
from dualgaf.system import termination
from dualgaf.system.termination import Stopped
from dualgaf.training.command import as_command, goes_on_in


@pytest.fixture(autouse=True)
def _typed(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py"])


def ends_with(error):
    def program():
        raise error

    return program


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (SystemExit(), 0, ""),
        (SystemExit(0), 0, ""),
        (SystemExit("dualgaf: wrong"), 2, "dualgaf: wrong\n"),
        (SystemExit(1), 2, ""),  # Hydra, which has said why
        (SystemExit(3), 3, ""),
        (ConfigError("wrong"), 2, "dualgaf: wrong\n"),
        (Stopped(signal.SIGINT), 130, "dualgaf: interrupted\n"),
        (Stopped(signal.SIGTERM), 143, "dualgaf: ended by SIGTERM\n"),
    ],
)
def test_how_a_program_ends_is_its_status(error, status, said, capsys):
    assert as_command(ends_with(error)) == status
    assert capsys.readouterr().err == said
    assert as_command(lambda: 0.5) == 0  # what train gives back is no status


def test_an_error_of_another_kind_is_shown_with_its_stack(capsys, monkeypatch):
    assert as_command(ends_with(RuntimeError("foreign"))) == 2
    assert capsys.readouterr().err.endswith("RuntimeError: foreign\n")
    monkeypatch.setattr("dualgaf.cli._run", lambda given: ends_with(RuntimeError("foreign"))())
    assert cli(["doctor"]) == 2
    assert capsys.readouterr().err.endswith("RuntimeError: foreign\n")


def test_the_last_line_says_how_to_go_on_with_the_sweep_not_with_its_job(capsys):
    def program():
        goes_on_in(Path("sweep"))
        goes_on_in(Path("sweep/0"))
        raise Stopped(signal.SIGTERM)

    assert as_command(program) == 143
    line = "dualgaf: ended by SIGTERM; to go on type python train.py resume=sweep\n"
    assert capsys.readouterr().err == line
    assert as_command(ends_with(Stopped(2))) == 130  # and is forgotten then
    assert capsys.readouterr().err == "dualgaf: interrupted\n"


@pytest.fixture
def stopping(monkeypatch):
    """Signals end this process as they end a program, for a test."""
    handlers = {number: signal.getsignal(number) for number in termination.SIGNALS}
    monkeypatch.setattr(termination, "_first", None)
    monkeypatch.setattr(termination, "_watching", 0)
    termination.stop_on_signals()
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("error", [AttributeError("half done"), SystemExit(1), ConfigError("half")])
@pytest.mark.parametrize("command", ["train.py", "python -m dualgaf"])
def test_an_error_that_a_signal_has_caused_is_the_signal(
    error, command, stopping, capsys, monkeypatch
):
    def program(*given):
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped:
            raise error from None

    monkeypatch.setattr("dualgaf.cli._run", program)
    assert (as_command(program) if command == "train.py" else cli(["doctor"])) == 143
    assert capsys.readouterr().err == "dualgaf: ended by SIGTERM\n"


@pytest.mark.parametrize("error", [AttributeError("half done"), SystemExit(1), ConfigError("half")])
def test_an_error_without_a_signal_stays_what_it_is(error, stopping):
    assert as_command(ends_with(error)) == 2


@pytest.mark.parametrize(
    ("typed", "text"),
    [("seeds=1", "there is no seeds; "), ("resume=nowhere", "resume=nowhere is not the folder of")],
)
def test_a_wrong_argument_is_2_and_nothing_runs(typed, text, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train.py", typed])
    assert as_command(ends_with(AssertionError("it ran"))) == 2
    assert capsys.readouterr().err.startswith(f"dualgaf: {text}")
