"""docs/other-packages.md: every block runs, and gives what it says."""

import re
from pathlib import Path

import aeon.datasets
import lightning as L
import numpy as np
import pytest
import torch
from aeon.benchmarking.resampling import stratified_resample_data
from torch.utils.data import ConcatDataset, DataLoader, Subset, WeightedRandomSampler, random_split

import dualgaf
from dualgaf import (
    ArchiveSource,
    DualGAFClassifier,
    DualGAFDataModule,
    DualGAFNet,
    SimulatedSource,
    dual_gaf,
)
from dualgaf.errors import ConfigError
from dualgaf.sklearn import DualGAFNetClassifier
from oracles import load_pyts

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "other-packages.md").read_text()
TITLES = ("aeon", "pyts", "sktime", "tsai", "torch", "Lightning", "LightningCLI")
X = np.random.default_rng(0).normal(size=(12, 2, 16))
Y = np.array([0, 1] * 6)


def blocks(title, language):
    section = re.split(r"\n## From ", PAGE)[1 + TITLES.index(title)]
    assert section.startswith(title)
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def run(title):
    names = {}
    for block in blocks(title, "python"):
        exec(compile(block, f"other-packages.md, {title}", "exec"), names)
    return names


def rows(title):
    """What stands on both sides of the table of a section."""
    section = re.split(r"\n## From ", PAGE)[1 + TITLES.index(title)]
    return re.findall(r"^\| `(.+)` \| `(.+)` \|$", section, re.MULTILINE)


def compare(title, names, theirs):
    """Work out each row of a table: both sides are to give the same; how many rows there are."""
    found = rows(title)
    for their, our in found:
        want, got = eval(their, {**names, **theirs}), eval(our, {**names, "dualgaf": dualgaf,
                         "ArchiveSource": ArchiveSource, "np": np})  # fmt: skip
        if isinstance(want, np.ndarray) and want.dtype.kind == "f":
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-6, err_msg=our)
        else:
            assert np.array_equal(got, want), (their, our)
    return len(found)


def trainer(**options):
    return L.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                     enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
                     limit_val_batches=0, **options)  # fmt: skip


def model():
    return DualGAFClassifier(DualGAFNet(2, 2, width=8, use_minirocket=False, use_forest=False))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_no_other_sections():
    assert re.findall(r"\n## From (\w+)", PAGE) == [*TITLES]


def test_a_user_of_aeon(folder, capsys):
    names = run("aeon")
    assert float(capsys.readouterr().out) > 0.8
    test = names["X_test"]
    assert np.array_equal(names["same"].predict(test), names["clf"].predict(test))
    theirs = {
        "aeon": aeon,
        "stratified_resample_data": stratified_resample_data,
    }
    assert compare("aeon", names, theirs) == 4


def test_a_user_of_pyts():
    load_pyts()
    import pyts

    names = run("pyts")
    assert np.array_equal(names["images"], names["both"][:, 0, 0])
    assert names["means"].shape == (100, 1, 24)
    assert compare("pyts", names, {"pyts": pyts}) == 6


def test_a_user_of_sktime(capsys):
    sktime = pytest.importorskip("sktime")
    names = run("sktime")
    assert float(capsys.readouterr().out) > 0.8
    assert names["clf"].channel_names_ == tuple(f"dim_{k}" for k in range(6))
    from sktime.datatypes._panel._convert import from_nested_to_3d_numpy

    theirs = {"sktime": sktime, "from_nested_to_3d_numpy": from_nested_to_3d_numpy}
    assert compare("sktime", names, theirs) == 2


def test_a_user_of_tsai(folder):
    names = run("tsai")
    assert names["trainer"].global_step == 3
    names["dm"].close()


def test_windows_of_tsai_are_ours(folder):
    pytest.importorskip("tsai", reason="tsai has an environment of its own: make tsai")
    from tsai.data.core import TSClassification, TSDataLoaders, TSDatasets

    names = run("tsai")
    given = names["X"], names["y"]
    dsets = TSDatasets(*given, tfms=[None, TSClassification()], splits=names["splits"])
    dls = TSDataLoaders.from_dsets(dsets.train, dsets.valid, bs=8, num_workers=0)
    assert compare("tsai", names, {"dsets": dsets, "dls": dls}) == 4
    names["dm"].close()


def test_a_user_of_torch():
    names = run("torch")
    assert names["gasf"].shape == names["gadf"].shape == (8, 3, 24, 24)
    assert (len(names["fold"]), len(names["rest"])) == (24, 6)
    assert sum(len(batch.label) for batch in names["every"]) == 34
    names["dm"].close()


def test_a_user_of_lightning(capsys):
    names = run("Lightning")
    assert "type DualGAFDataModule.load_from_checkpoint(path, source=" in capsys.readouterr().out
    dm = names["dm"]
    model = DualGAFClassifier(DualGAFNet(3, 2, width=8, use_minirocket=False, use_forest=False))
    seen = []
    model.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].clone()))
    run_once = trainer()
    run_once.fit(model, datamodule=dm)
    assert run_once.global_step == 2  # 20 windows in eights, the rest is left out
    assert dm.counts.tolist() == [10, 10]
    dm.close()


@pytest.fixture
def cli(folder, monkeypatch):
    """Runs the three lines with the options and the words that are given."""

    def started(options, words):
        (folder / "gaf.yaml").write_text(options)
        # lightning 2.6 calls what jsonargparse 4.53 will take away
        monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
        monkeypatch.setattr("sys.argv", words)
        run("LightningCLI")

    return started


def test_three_lines_of_lightning_cli_train_what_python_trains(folder, cli):
    (lines,), (options,), (command,) = (
        blocks("LightningCLI", language) for language in ("python", "yaml", "sh")
    )
    assert len([line for line in lines.splitlines() if line]) == 3
    assert command.startswith("python main.py fit ")
    cli(options, command.split()[1:])
    (checkpoint,) = (folder / "checkpoints").glob("*.ckpt")
    found = DualGAFClassifier.load_from_checkpoint(checkpoint)
    L.seed_everything(0, workers=True)
    want = DualGAFClassifier(DualGAFNet(12, 5), learning_rate=0.001)
    dm = DualGAFDataModule(SimulatedSource(n_windows=48, window_size=12), image_size=8)
    own = L.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False)
    own.fit(want, datamodule=dm)
    assert own.global_step > 1
    assert {*found.state_dict()} == {*want.state_dict()}
    for name, weights in want.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], weights, rtol=0, atol=1e-6, msg=name)
    loaded = DualGAFNetClassifier.load(checkpoint)
    assert loaded.classes_.tolist() == [*dm.class_names]
    dm.close()


def test_what_a_word_of_lightning_cli_gets_wrong_is_refused_as_in_python(cli):
    words = ["main.py", "fit", "--config", "gaf.yaml", "--data.storage", "int8"]
    with pytest.raises(ConfigError, match=r"storage='int8' is not known; .* type storage=uint8"):
        cli(blocks("LightningCLI", "yaml")[0], words)


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
@pytest.mark.parametrize("images", ["precompute", "on_device"])
def test_wrapped_datasets_give_the_windows_that_are_asked_for(images):
    dm = DualGAFDataModule.from_arrays(
        train=(X, Y), test=(X + 9, Y), scaling="window", feature_range=(-1, 1), storage="float32",
        images=images,
    )  # fmt: skip
    dm.setup()
    train, test = dm.dataset("train"), dm.dataset("test")
    want = torch.from_numpy(dual_gaf(X))
    first, second = random_split(train, [8, 4], torch.Generator().manual_seed(0))
    wrapped = {
        "subset": (Subset(train, [5, 1, 7]), [5, 1, 7]),
        "subset of a subset": (Subset(Subset(train, [5, 1, 7]), [2, 0]), [7, 5]),
        "split": (first, [*first.indices]),
        "joined": (ConcatDataset([second, test]), [*second.indices, *range(12)]),
        "subset of joined": (Subset(ConcatDataset([train, test]), [13, 2]), [1, 2]),
    }
    for name, (dataset, rows) in wrapped.items():
        batches = [*DataLoader(dataset, batch_size=3)]
        gasf, gadf, label = (torch.cat([getattr(b, key) for b in batches])
                             for key in ("gasf", "gadf", "label"))  # fmt: skip
        assert label.tolist() == Y[rows].tolist(), name
        np.testing.assert_allclose(gasf, want[rows, 0], atol=1e-6, err_msg=name)
        np.testing.assert_allclose(gadf, want[rows, 1], atol=1e-6, err_msg=name)
    sampler = WeightedRandomSampler(Y.astype(float), 20, generator=torch.Generator().manual_seed(0))
    labels = torch.cat([batch.label for batch in DataLoader(train, batch_size=6, sampler=sampler)])
    assert labels.tolist() == [1] * 20
    run_once = trainer()
    run_once.fit(model(), DataLoader(first, batch_size=4, num_workers=0))
    assert run_once.global_step == 2
    dm.close()


def test_a_hook_of_a_subclass_takes_the_place_of_ours():
    calls = []

    class Mine(DualGAFDataModule):
        def prepare_data(self):
            calls.append("prepare_data")
            super().prepare_data()

        def val_dataloader(self):
            calls.append("val_dataloader")
            return super().val_dataloader()

        def test_dataloader(self):
            return DataLoader(self.dataset("test"), batch_size=5)

        def predict_dataloader(self):
            return DataLoader(Subset(self.dataset("test"), [3, 4]), batch_size=2)

        def on_before_batch_transfer(self, batch, dataloader_idx):
            calls.append("on_before_batch_transfer")
            return super().on_before_batch_transfer(batch, dataloader_idx)

        def transfer_batch_to_device(self, batch, device, dataloader_idx):
            calls.append("transfer_batch_to_device")
            return super().transfer_batch_to_device(batch, device, dataloader_idx)

        def teardown(self, stage):
            calls.append("teardown")
            super().teardown(stage)

        def state_dict(self):
            return {**super().state_dict(), "own": 7}

    dm = Mine.from_arrays(train=(X, Y), val=(X + 1, Y), test=(X + 2, Y), batch_size=4)
    own = trainer()
    learner = model()
    own.fit(learner, datamodule=dm)
    (scores,) = own.test(learner, datamodule=dm, verbose=False)
    assert len(own.test_dataloaders) == 3
    assert 0.0 <= scores["test/acc"] <= 1.0
    assert sum(map(len, own.predict(learner, datamodule=dm))) == 2
    wanted = {"prepare_data", "on_before_batch_transfer", "transfer_batch_to_device", "teardown"}
    assert wanted <= {*calls}
    assert dm.state_dict()["own"] == 7
    dm.close()


def test_a_checkpoint_without_a_source_says_what_to_type_and_it_works(tmp_path):
    dm = DualGAFDataModule.from_arrays(train=(X, Y), storage="uint16", batch_size=4)
    own = trainer()
    own.fit(model(), datamodule=dm)
    own.save_checkpoint(tmp_path / "own.ckpt")
    dm.close()
    with pytest.raises(ConfigError, match="or source=ArraySource") as told:
        DualGAFDataModule.load_from_checkpoint(tmp_path / "own.ckpt")
    (typed,) = re.findall(r"source=(ArraySource\(.*?\)\))", str(told.value))
    source = eval(typed, {"ArraySource": dualgaf.ArraySource, "x": X, "y": Y})
    found = DualGAFDataModule.load_from_checkpoint(tmp_path / "own.ckpt", source=source)
    assert (found.hparams["storage"], found.batch_size) == ("uint16", 4)
