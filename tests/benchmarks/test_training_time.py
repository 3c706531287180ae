import json
import subprocess

import pytest
from benchmarks.earlier_build import EARLIER, ROOT, earlier_build
from benchmarks.training_time import NOW, THEN, Build, Run, kept_runs, measure, read

from benchmarks import training_time
from dualgaf.bench import Result


def runs(name, side, *seconds, acc=0.9):
    return [Run(name, side, s, 100 << 20, {"test/acc": acc}) for s in seconds]


def test_medians_stand_side_by_side_and_their_mean_is_the_geometric_one():
    made = [
        *runs("gunpoint", NOW, 10, 30, 20),
        *runs("gunpoint", THEN, 90, 40, 80),
        *runs("natops", NOW, 50),
        *runs("natops", THEN, 50, acc=0.8),
        *runs("epilepsy", THEN, 70),  # the other side is not there yet
    ]
    reading = read(made)
    assert [row["set"] for row in reading.rows] == ["gunpoint", "natops"]
    assert reading.rows[0]["seconds"] == 20
    assert reading.rows[0][f"seconds, {EARLIER}"] == 80
    assert reading.rows[1][f"test/acc, {EARLIER}"] == 0.8
    assert reading.ratios["gunpoint: seconds"] == 4
    assert reading.ratios["geometric mean: seconds"] == pytest.approx(2)
    assert reading.ratios["least: seconds"] == reading.ratios["natops: seconds"] == 1
    assert reading.ratios["least: peak"] == 1
    assert read([]).rows == []


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """What `measure` runs; nothing is trained."""
    made = []

    def train(build, name, options, folder):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append((name, build.folder.name, *options))
        folder.joinpath("run").mkdir(parents=True, exist_ok=True)
        folder.joinpath("run/metrics.json").write_text(json.dumps({"test/acc": 0.5, "fit_s": 3}))
        return 1.0, 1 << 20

    monkeypatch.setattr(training_time, "train", train)
    monkeypatch.setattr(training_time, "FOLDER", tmp_path)
    return made


def test_sides_take_turns_and_an_interrupted_job_goes_on(trained, tmp_path):
    builds = {side: Build(tmp_path, tmp_path / side) for side in (NOW, THEN)}
    kept = tmp_path / "runs.jsonl"
    with pytest.raises(KeyboardInterrupt):
        measure(builds, ["gunpoint", "natops"], ["seed=1"], kept)
    assert trained == [("gunpoint", side, "seed=1") for side in (NOW, THEN, NOW)]
    assert [run.test for run in kept_runs(kept)] == [{"test/acc": 0.5}] * 3
    trained[:] = []
    with pytest.raises(KeyboardInterrupt):
        measure(builds, ["gunpoint", "natops"], [], kept)
    trained[:] = []
    assert len(measure(builds, ["gunpoint", "natops"], [], kept)) == 8  # 3 + 3 and 1 + 1
    assert trained == [("natops", side) for side in (NOW, THEN)]


def test_a_training_that_fails_ends_the_job_with_its_last_lines(monkeypatch, tmp_path):
    broken = tmp_path / "train.py"
    broken.write_text("print('no such set'); raise SystemExit(3)")
    build = Build(training_time.sys.executable, tmp_path)
    with pytest.raises(SystemExit, match="no such set"):
        training_time.train(build, "natops", [], tmp_path / "out")


def test_the_earlier_build_is_that_of_git(tmp_path):
    # with a path, as an sdist may lie in a checkout
    there = ["git", "-C", str(ROOT), "cat-file", "-e", f"{EARLIER}:./train.py"]
    if subprocess.run(there, stderr=subprocess.DEVNULL).returncode:
        pytest.skip(f"{EARLIER} is not in the history that was checked out")
    folder = earlier_build(tmp_path / "earlier", "train.py", "conf/trainer")
    assert sorted(path.name for path in folder.iterdir()) == ["conf", "train.py"]


def test_the_table_alone_says_which_sets_it_has(tmp_path, capsys):
    kept, output = tmp_path / "runs.jsonl", tmp_path / "training_time.json"
    made = [*runs("natops", NOW, 50), *runs("natops", THEN, 150)]
    kept.write_text("".join(json.dumps(run._asdict()) + "\n" for run in made))
    assert training_time.main(["--table", "--kept", str(kept), "--output", str(output)]) == 0
    found = Result.load(output)
    assert found.size["typed"] == ["--sets", "natops"]
    assert found.seconds == {f"natops, {NOW}": [50], f"natops, {THEN}": [150]}
    assert capsys.readouterr().out.splitlines()[-1].endswith(": 3.00 times as fast")


def test_a_set_that_there_is_not(capsys):
    with pytest.raises(SystemExit) as ended:
        training_time.main(["--sets", "nato"])
    assert ended.value.code == 2
    assert "invalid choice: 'nato'" in capsys.readouterr().err
