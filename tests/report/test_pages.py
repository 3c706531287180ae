"""The page of a run and of a sweep, made of results that nobody trained for, in a real browser."""

import csv
import json
import logging
from html import unescape

import numpy as np
import pytest
import torch

import chromium
from dualgaf import ArraySource, DualGAFClassifier, DualGAFDataModule, DualGAFNet
from dualgaf.cli import main
from dualgaf.report import drawn
from dualgaf.report.index import IndexPage
from dualgaf.report.page import RunPage
from dualgaf.report.split_report import SplitReport
from dualgaf.training.config import load_config
from dualgaf.training.report import Outcome, write_outcome
from dualgaf.training.run import train
from dualgaf.training.run_page import page_of, write_run_page
from dualgaf.training.sweep import sweep_index
from dualgaf.training.sweep_page import write_index

MARKUP = '<script>alert(1)</script><img src=x onerror=alert(2)> & "O\'Neill"'
LONG = "supply_air_temperature_of_the_northern_air_handling_unit_on_the_seventh_floor_x_"


@pytest.fixture(scope="module")
def browser():
    yield from chromium.started()


@pytest.fixture
def looked(browser):
    page = browser.new_page()
    yield chromium.Looked(page)
    page.close()


def data_of(class_names, n_channels=2, channel_names=None, *, tested=True, n_tested=2):
    label = np.repeat(np.array(class_names), 3)
    random = np.random.default_rng(0)
    x = random.normal(size=(len(label), n_channels, 12))
    more = np.repeat(label, n_tested)
    test = {"test": (random.normal(size=(len(more), n_channels, 12)), more)} if tested else {}
    source = ArraySource(
        train=(x, label), val=(x + 0.25, label), **test, channel_names=channel_names
    )
    return DualGAFDataModule(source, batch_size=4)


def outcome_of(data, *, model=None):
    """Probabilities by chance: half of the windows are right."""
    metrics = {"fit/epochs": 2, "fit/seconds": 1.0, "val/acc": 0.5}
    epochs = [
        {"epoch": k, "learning_rate": 0.1 / k, "train/loss": 1 / k, "val/loss": 1.5 / k}
        for k in (1, 2)
    ]
    if "test" not in data.windows.indices:
        return Outcome(metrics, None, epochs, model=model)
    label = data.windows.labels[data.windows.indices["test"]]
    random = np.random.default_rng(1)
    p = random.uniform(size=(len(label), data.num_classes))
    p[np.arange(len(label)), label] += random.uniform(size=len(label))
    return Outcome(metrics, p / p.sum(axis=1, keepdims=True), epochs, model=model)


def page_in(folder, data, outcome, seconds=1e9):
    write_outcome(folder, data, outcome)
    write_run_page(load_config([]), folder, data, outcome, seconds)
    return folder / "report.html"


def untrained(data):
    torch.manual_seed(0)
    net = DualGAFNet(data.n_channels, data.num_classes, width=8, use_forest=False)
    return DualGAFClassifier(net, class_names=data.class_names)


NAMES = {
    "without a test": ["cold", "hot"],
    "40 classes": [f"class {k:02}" for k in range(40)],
    "60 channels": ["cold", "hot"],
    "80 characters": [f"{k}{LONG}"[:80] for k in range(3)],
    "markup": [MARKUP, "b </pre></table> {{ 7 * 7 }}"],
    "one channel": ["cold", "hot"],
}


@pytest.mark.parametrize("case", NAMES)
def test_a_page_is_right_in_a_browser(case, tmp_path, looked, monkeypatch):
    monkeypatch.setattr(drawn, "MOST_MISTAKES", 1)
    n_channels = {"60 channels": 60, "one channel": 1}.get(case, 2)
    channels = [f"channel {k:02}" for k in range(n_channels)]
    if case in ("80 characters", "markup"):
        channels = [f"{k}{name}"[:80] for k, name in enumerate((LONG, MARKUP[:60]))]
    data = data_of(NAMES[case], n_channels, channels, tested=case != "without a test")
    has_network = case in ("60 channels", "markup", "80 characters")
    outcome = outcome_of(data, model=untrained(data) if has_network else None)
    path = page_in(tmp_path, data, outcome)
    looked.check(path)
    assert path.stat().st_size < 2e6
    assert looked.page.locator("script").count() == 0
    assert looked.page.locator("img:not([src^='data:image/png;base64,'])").count() == 0
    windows = looked.text("data")
    for name in data.class_names:
        assert name in windows
    if case == "without a test":
        assert "no test split" in looked.text("untested")
        assert looked.page.locator("#confusion, #mistakes").count() == 0
        return
    right = (outcome.probabilities.argmax(axis=1) == data.windows.labels[
        data.windows.indices["test"]
    ]).sum()  # fmt: skip
    assert f"{right} of {len(outcome.probabilities)} test windows are right" in (
        looked.page.locator("header").inner_text()
    )
    rows = looked.page.locator("section:has(#classes) tbody tr")
    assert rows.count() == len(data.class_names) + 1
    assert [name in looked.text("classes") for name in data.class_names]
    assert looked.page.locator("section:has(#mistakes) img").count() == int(has_network)
    if has_network:
        shares = looked.page.locator("section:has(#spoke) table").first.inner_text()
        told = [int(cell) for cell in (line.split()[-2] for line in shares.splitlines()[1:])]
        assert told[-1] == sum(told[:-1]) == 100
        assert ("48 other channels" in shares) == (case == "60 channels")


@pytest.mark.slow
def test_a_page_of_5000_windows_is_small(tmp_path, looked):
    data = data_of([f"class {k}" for k in range(10)], n_tested=167)
    assert len(data.windows.indices["test"]) == 5010
    path = page_in(tmp_path, data, outcome_of(data, model=untrained(data)))
    assert path.stat().st_size < 2e6
    looked.page.goto(path.as_uri())
    assert looked.page.locator("section:has(#mistakes) img").count() == 4


def test_a_sweep_is_sorted_by_a_click(tmp_path, looked):
    rows = [
        {"job": str(k), "ablation": name, "seed": str(seed), "val/acc": acc, "test/acc": acc / 2}
        for k, (name, seed, acc) in enumerate(
            [("full", 0, 0.5), ("full", 1, 0.7), (MARKUP, 0, 0.25), (LONG, 1, 1.0)]
        )
    ]
    with (tmp_path / "sweep.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows([*rows, {"job": "4", "ablation": "failed"}])
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "report.html").write_text("<p>the second run</p>")
    looked.check(sweep_index(tmp_path).write(tmp_path))
    page = looked.page

    def jobs():
        return [cell.inner_text() for cell in page.locator("tbody td:first-child").all()]

    assert jobs() == ["0", "1", "2", "3", "4"]
    page.get_by_role("button", name="val/acc").click()
    assert jobs() == ["2", "0", "1", "3", "4"]  # what has no value is last
    page.get_by_role("button", name="val/acc").click()
    assert jobs() == ["3", "1", "0", "2", "4"]
    assert page.locator("th[aria-sort=descending]").inner_text() == "val/acc"
    assert page.locator("tr.best td").first.inner_text() == "3"
    assert "full" in page.locator("pre").first.inner_text()  # means over seeds
    assert page.locator("td a").count() == 1
    page.get_by_role("link", name="1", exact=True).click()
    assert page.inner_text("body") == "the second run"


def test_the_page_of_a_training(tmp_path, caplog, capsys):
    typed = ["data=simulated", "data.n_windows=60", "data.window_size=24", "trainer.max_epochs=1",
             "refit=false", "logger=csv"]  # fmt: skip
    folder = tmp_path / "a run"
    with caplog.at_level(logging.INFO):
        train(load_config([*typed, f"paths.run_dir={folder}"]))
    assert f"page: {folder / 'report.html'}" in caplog.text
    html = (folder / "report.html").read_text()
    # One epoch of 48 windows takes less than 100 times what a picture does.
    for text in ("Pictures of 4 of the mistakes.", "python -m dualgaf report &#39;"):
        assert text in html
    page = page_of(folder)
    assert ("data.n_windows", "60", "2000") in page.settings
    assert dict(page.about)["seed"] == "0"
    assert dict(page.about)["dualgaf"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert page.tested.accuracy == pytest.approx(metrics["test/acc"])
    (folder / ".hydra" / "config.yaml").write_text((folder / ".hydra" / "run.yaml").read_text())
    (folder / ".hydra" / "hydra.yaml").write_text(
        f"hydra:\n  overrides: {{task: {json.dumps(typed)}, hydra: []}}\n"
        "  job: {config_name: train}\n"
        "  runtime: {config_sources: [], choices: {data: simulated, model: dualgafnet}}\n"
    )
    assert main(["report", str(folder)]) == 0
    assert "test windows are right" in capsys.readouterr().out
    again = (folder / "report.html").read_text()
    assert "Left out" not in again
    assert f"python -m dualgaf train {' '.join(typed)}</pre>" in unescape(again)
    assert again.count("<img ") == html.count("<img ") + min(4, len(page.tested.mistakes)) + 1


def test_a_run_is_not_lost_by_its_page(tmp_path, monkeypatch, caplog):
    def broken(*_):
        raise ValueError("no such template\nand more")

    data = data_of(["a", "b"])
    monkeypatch.setattr(RunPage, "html", broken)
    path = page_in(tmp_path, data, outcome_of(data))
    assert not path.exists()
    assert json.loads((tmp_path / "metrics.json").read_text())["val/acc"] == 0.5
    (line,) = [each for each in caplog.messages if "page" in each]
    assert line.startswith("the page of the run could not be written: no such template; to make")
    assert line.endswith(f"type python -m dualgaf report {tmp_path}")


def test_a_run_without_a_page(tmp_path):
    data = data_of(["a", "b"])
    write_outcome(tmp_path, data, outcome_of(data))
    write_run_page(load_config(["report=false"]), tmp_path, data, outcome_of(data), 1.0)
    assert not (tmp_path / "report.html").exists()


def test_a_run_of_an_earlier_version_has_what_it_kept(tmp_path, capsys):
    (tmp_path / "metrics.json").write_text('{"test/acc": 0.5, "fit/epochs": 3}')
    assert main(["report", str(tmp_path)]) == 0
    assert "there is no" in capsys.readouterr().out
    html = (tmp_path / "report.html").read_text()
    assert "Not kept by this run" in html
    assert "fit/epochs" in html


@pytest.mark.parametrize("given", [[], ["nowhere"]])
def test_what_is_no_run_is_said(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *given]) == 2
    assert "report RUN, with the folder that holds metrics.json" in capsys.readouterr().err


def test_a_run_whose_metrics_are_damaged_is_not_guessed_at(tmp_path, capsys):
    (tmp_path / "metrics.json").write_text('{"test/acc": 0.')
    assert main(["report", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"type python -m dualgaf train resume={tmp_path} for the run anew" in told


def test_a_sweep_is_not_lost_by_its_page(tmp_path, monkeypatch, caplog):
    (tmp_path / "sweep.csv").write_text("job,seed,val/acc\n0,0,0.5\n1,1,0.75\n")
    write_index(tmp_path, sweep_index)
    assert "Highest val/acc: 0.75, job 1." in (tmp_path / "index.html").read_text()
    monkeypatch.setattr(IndexPage, "html", lambda self: 1 / 0)
    write_index(tmp_path, sweep_index)
    (line,) = [each for each in caplog.messages if "could not be written" in each]
    assert line.endswith(
        f"division by zero; to make it again type python -m dualgaf report {tmp_path}"
    )


def test_sets_and_mistakes_are_counted_as_they_stand_in_the_table(tmp_path):
    names = ("window", "group", "start", "label", "predicted", "probability", "set")
    rows = [
        (0, "d1", "", "a", "a", 0.9, "a"),
        (1, "d1", "", "a", "b; c", 0.8, "b; c; a"),  # a class whose name has the separator
        (2, "d2", "", "b; c", "a", 0.95, "a"),
        (3, "d2", "", "a", "b; c", 0.5, "b; c; a"),
        (4, "d2", "", "", "a", 0.99, "a"),  # not known: not counted
    ]
    with (tmp_path / "test_predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    (tmp_path / "report.csv").write_text("class,precision,recall,f1,support\nmacro,1,1,1,4\n")
    found = SplitReport.read(tmp_path, {"fit/temperature": 2.0})
    assert (found.n_windows, found.right) == (4, 1)
    assert found.confusions == [("a", "b; c", 2), ("b; c", "a", 1)]
    assert [mistake.window for mistake in found.mistakes] == [2, 1, 3]
    assert found.sets[-1] == ("all", "4", "75.0 %")
    assert found.calibration[0].startswith("Temperature 2,")


def test_a_study_is_sorted_and_leads_to_its_best(tmp_path, looked, capsys):
    folder = tmp_path / "of the plant"
    names = ("trial", "state", "val/loss", "val/acc", "epochs", "s", "model.dropout", "model.width")
    rows = [
        (0, "ended", 0.5, 0.75, 9, 2.25, 0.123456789, 64),
        (1, "failed", "", "", "", "", 0.25, 32),
        (2, "ended", 0.25, 0.875, 12, 3.5, 0.0625, 64),
        (3, "pruned", 0.2, 0.5, 4, 1.0, 0.5, 128),  # what was ended early is not the best
    ]
    why = ["", f"RuntimeError: {MARKUP}", "", "worse than the median"]
    (folder / "best-0002").mkdir(parents=True)
    with (folder / "trials.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [[*names, "why"], *([*row, told] for row, told in zip(rows, why, strict=True))]
        )
    (folder / "best-0002" / "report.html").write_text("<p>the best</p>")
    (folder / "best-0002" / "metrics.json").write_text('{"test/acc": 0.8125}')
    (tmp_path / "of the plant.journal").write_text("")  # it was emptied: no command, and no error
    (folder / "trial-0000").mkdir()
    (folder / "trial-0000" / "curves.png").write_bytes(b"")
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'index.html'}: 4 runs\n"
    looked.check(folder / "index.html")
    page = looked.page
    assert (
        "4 trials: 2 ended, 1 failed, 1 pruned. Lowest val/loss: 0.25, trial 2; "
        "tested once: test/acc 0.8125." in page.locator("header").inner_text()
    )
    assert page.locator("tr.best td").first.inner_text() == "2"
    page.get_by_role("button", name="model.dropout").click()
    cells = page.locator("tbody td:first-child").all_inner_texts()
    assert cells == ["2", "0", "1", "3"]
    assert page.locator("tbody td[data-name='model.dropout']").nth(1).inner_text() == "0.1235"
    links = page.locator("tbody a")
    assert [each.get_attribute("href") for each in links.all()] == [
        "best-0002/report.html", "trial-0000/curves.png"
    ]  # fmt: skip
    links.first.click()
    assert page.inner_text("body") == "the best"
