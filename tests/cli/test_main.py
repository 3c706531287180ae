import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

from dualgaf.cli import main
from preloaded import MODULE, run

ROOT = Path(__file__).resolve().parents[2]


def test_doctor_tells_what_the_machine_offers(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for word in ("memory", "cpu", "dev/shm", "huge"):
        assert word in text.lower()
    assert "what would make this machine faster" in text or "no setting of this machine" in text


def test_plan_builds_nothing_and_says_where_and_why(capsys):
    overrides = ["hardware=8gb", "data=simulated", "data.n_windows=500"]
    assert main(["plan", *overrides]) == 0
    text = capsys.readouterr().out
    assert "500 windows of 96 steps, 12 channels -> GASF and GADF of 64 x 64" in text
    assert "46.88 MiB in shared memory (memfd)" in text
    assert "GiB for images (hardware=8gb)" in text
    assert re.search(r"of 8\.00 GiB - \d+\.\d\d [GM]iB in use", text)


def test_preview_draws_the_window(tmp_path, capsys):
    path = tmp_path / "window.png"
    arguments = ["preview", "data=simulated", "data.n_windows=60", "--window", "2"]
    assert main([*arguments, "--output", str(path), "--channels", "mat,oat"]) == 0
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > 300
    assert picture.shape[1] > 600
    assert len({tuple(pixel) for pixel in picture[::5, ::5].reshape(-1, picture.shape[2])}) > 50
    assert "class" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["preview", "data=simulated", "--window", "99999"],
            "--window 99999 is not there; allowed: 0",
        ),
        (["preview", "data=simulated", "--channels", "x"], "--channels x is not there; allowed: "),
        (["plan", "images=lazy"], "images='lazy' is not known"),
        (["plan", "data=simulated", "hardware=9gb"], "8gb"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(arguments, text, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert "Traceback" not in error


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert re.search(r"python -m dualgaf plan hardware=8gb", capsys.readouterr().out)


def test_train_works_from_any_folder(tmp_path):
    small = [
        "data=simulated",
        "data.n_windows=60",
        "data.window_size=24",
        "datamodule.image_size=8",
        "refit=false",
    ]
    options = [
        "trainer.max_epochs=1",
        "model.use_minirocket=false",
        "model.use_forest=false",
        "report=false",
        "parallel.enabled=false",
    ]
    run("train", *small, *options, cwd=tmp_path, program=MODULE)
    (path,) = tmp_path.glob("runs/**/metrics.json")
    assert json.loads(path.read_text())["build/backend"] == "serial"


def test_cache_commands(tmp_path, capsys):
    from dualgaf import DualGAFDataModule, SimulatedSource

    source = SimulatedSource(n_windows=60, window_size=24)
    DualGAFDataModule(source, image_size=8, cache_dir=tmp_path).setup("test")
    where = f"cache.dir={tmp_path}"
    assert main(["cache", "list", where]) == 0
    lines = capsys.readouterr().out.splitlines()
    about = r"[0-9a-f]{32} +[\d.]+ KiB +\d seconds old  \d+ x 2 x 12 x 8 x 8 uint8  "
    assert re.match(about, lines[0])
    assert "image_size=8 scaling=train feature_range=[0.0, 1.0] storage=uint8 l" in lines[0]
    size = r"[\d.]+ [KM]iB"
    assert re.fullmatch(rf"{size} in {tmp_path}: images {size}, windows {size}", lines[1])
    assert main(["cache", "verify", where]) == 0
    assert capsys.readouterr().out.endswith("good\n")
    (path,) = tmp_path.glob("*.store")
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(bytes(64))
    assert main(["cache", "verify", where]) == 1
    told = capsys.readouterr().out
    assert re.search(r"damaged: windows \d+ to \d+ have other bytes than were written\n", told)
    assert "1 of 1 are damaged; type cache.verify=full for the next run" in told
    assert f"python -m dualgaf cache clear {where}" in told
    assert [path.suffix for path in tmp_path.glob("*.bad")] == []
    assert main(["cache", "clear", where]) == 0
    assert re.fullmatch(rf"{size} freed in {tmp_path}\n", capsys.readouterr().out)
    assert list(tmp_path.iterdir()) == []
    assert main(["cache", "verify", where]) == 0
    assert capsys.readouterr().out == f"no images in {tmp_path}\n"
    assert main(["cache", "list", where]) == 0
    assert capsys.readouterr().out == f"0 B in {tmp_path}\n"
    assert main(["cache", "list", f"{where}/none"]) == 2
    assert f"cache.dir={tmp_path}/none cannot be read: No such file" in capsys.readouterr().err
    assert main(["cache", "list"]) == 2
    assert "type: cache list cache.dir=FOLDER" in capsys.readouterr().err
    assert main(["cache", "tidy", where]) == 2
    assert "allowed: list, verify, clear" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "ended by SIGTERM")],
)
def test_a_signal_ends_a_command_in_one_line(number, status, said):
    command = [sys.executable, "-m", "dualgaf", "bench", "--n-windows", "3000"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        first = [ran.stderr.readline() for _ in range(2)]
        ran.send_signal(number)
        _, rest = ran.communicate(timeout=60)
    assert first[1].startswith("repeat 0")
    assert ran.returncode == status
    assert rest.splitlines()[-1] == f"dualgaf: {said}"
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("command", "own", "foreign"),
    [
        ("doctor", "doctor", "--window"),
        ("plan", "overrides", "--output"),
        ("cache", "list, verify or clear", "--output"),
        ("preview", "--checkpoint", "--n-windows"),
        ("export", "--output", "--channels"),
        ("bench", "--n-windows", "--checkpoint"),
    ],
)
def test_help_of_a_command_shows_its_options_only(command, own, foreign, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert own in text
    assert foreign not in text
    assert f"python -m dualgaf {command}" in text.partition("examples:")[2]


@pytest.mark.parametrize("suite", ["cold", "memory", "scaling", "sweep"])
def test_a_benchmark_of_the_repository_says_what_to_type(suite, capsys):
    assert main(["bench", suite]) == 2
    text = capsys.readouterr().err
    assert text.endswith(f"in a clone of it type python -m benchmarks.speed {suite}\n")


def test_bench_times_every_way_to_build_beside_the_limits(tmp_path, capsys):
    small = ["--n-windows", "20", "--n-channels", "2", "--window-size", "16", "--repeats", "1"]
    path = tmp_path / "build.json"
    assert main(["bench", *small, "--output", str(path)]) == 0
    assert "limit: memset" in capsys.readouterr().out
    rows = json.loads(path.read_text())["reading"]["rows"]
    assert len(rows) == 6 + 3  # ways to build, limits
    assert list(rows[0]) == ["side", "windows", "seconds", "windows/s", "GB/s", "of memset"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["benchh"], "command='benchh' is not known; allowed: doctor, inspect, plan, cache"),
        (["benchh"], "type python -m dualgaf bench"),
        (["bench", "speed"], "bench='speed' is not known; allowed: build; type bench build"),
        (["bench", "--memory", "1GiB"], "--memory is not known; allowed: --help, --n-windows"),
        (["plan", "--window", "1"], "--window is not known; allowed: --help; type --help"),
        (["cache", "list"], "which cache? type: cache list cache.dir=FOLDER"),
        (["cache", "empty"], "cache='empty' is not known; allowed: list, verify, clear; type"),
        (["export"], "which model? type: export RUN/checkpoints/best.ckpt"),
    ],
)
def test_a_wrong_command_or_option_says_what_is_allowed(arguments, text, capsys):
    assert main(arguments) == 2
    assert text in capsys.readouterr().err


def test_the_kept_ratios_are_of_all_suites():
    kept = json.loads((ROOT / "benchmarks" / "ratios.json").read_text())
    assert set(kept) >= {"build", "cold", "memory", "scaling", "sweep"}


def test_a_reader_that_has_seen_enough_ends_the_command_without_a_word():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "dualgaf", "doctor"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
