"""What benchmarks/library_threads and benchmarks/prediction make of the times of their sides."""

import json

import psutil
import pytest

from benchmarks import library_threads, prediction
from dualgaf.bench import Result


def test_a_neighbour_is_there_for_the_block_only():
    before = set(psutil.Process().children())
    with library_threads.busy_core(is_wanted=True):
        (neighbour,) = set(psutil.Process().children()) - before
        assert neighbour.is_running()
    assert not neighbour.is_running()
    with library_threads.busy_core(is_wanted=False):
        assert set(psutil.Process().children()) == before


@pytest.mark.parametrize(("slow", "status"), [(1.05, 0), (1.2, 1)])
def test_a_library_that_is_slower_in_either_place_is_an_exit_status(
    slow, status, monkeypatch, capsys
):
    calls = []

    def trained(side, name, root, epochs):
        calls.append((side, epochs))
        beside_a_neighbour = len(calls) > 2 + 2 * 3
        return 20, 2.0 * (slow if side == "library" and beside_a_neighbour else 1.0)

    monkeypatch.setattr(library_threads, "trained", trained)
    assert library_threads.main(["--repeats", "3"]) == status
    sides = [side for side, _ in calls]
    assert sides == ["command line", "library"] * 7  # in turn
    assert [epochs for _, epochs in calls] == [1, 1, *[2] * 12]
    alone, busy = capsys.readouterr().out.splitlines()[-2:]
    assert alone.split() == ["nothing", "20", "2", "2", "1"]
    assert busy.split()[-1] == f"{slow:g}"


def test_trainings_of_different_length_are_not_compared(monkeypatch):
    steps = iter(range(100))
    monkeypatch.setattr(library_threads, "trained", lambda *given: (next(steps), 1.0))
    with pytest.raises(SystemExit, match="different numbers of steps"):
        library_threads.main(["--repeats", "1"])


def test_what_is_made_is_used_again_and_medians_are_compared(monkeypatch, tmp_path, capsys):
    made = []

    def touch(*given):
        made.append(given[-1].name)
        given[-1].touch()

    told = {"64": {"now": [1.0, 2.0, 9.0], "earlier": [6.0, 8.0, 7.0]}}
    monkeypatch.setattr(prediction, "_train", touch)
    monkeypatch.setattr(prediction, "_export", touch)
    monkeypatch.setattr(prediction, "_said", lambda *given: "abc1234")
    monkeypatch.setattr(prediction, "_python", lambda *given: f"a log line\n{json.dumps(told)}")
    output = tmp_path / "prediction.json"
    for _ in range(2):
        prediction.main(["--work", str(tmp_path), "--output", str(output)])
    assert made == ["abc1234.ckpt", "837ca8d.pt2"]
    assert capsys.readouterr().out.splitlines()[-1].split() == ["64", "7", "2", "3.5"]
    found = Result.load(output)
    assert found.seconds == {"64, now": [0.001, 0.002, 0.009], "64, earlier": [0.006, 0.008, 0.007]}
    assert found.reading.ratios == {"64 windows": 3.5}
