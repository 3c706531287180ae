"""The estimators in the hands of scikit-learn and aeon: their own checks, and what users do."""

import os
import pickle
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from inspect import signature
from pathlib import Path

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
from aeon.datasets import load_basic_motions
from aeon.testing.estimator_checking import check_estimator
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils._testing import SkipTest
from sklearn.utils.estimator_checks import estimator_checks_generator

import dualgaf.aeon
import dualgaf.sklearn
from dualgaf import DualGAFClassifier, DualGAFDataModule, DualGAFNet, dual_gaf
from dualgaf.errors import ConfigError, SeriesError
from dualgaf.imaging.gaf import Renderer
from dualgaf.sklearn import DualGAFNetClassifier, DualGAFTransformer
from dualgaf.training.config import load_config
from dualgaf.training.parameters import (
    OF_CLASSIFIER,
    OF_DATA,
    OF_NET,
    PARAMETERS,
    NetParameters,
)
from dualgaf.training.run import train

TINY = {"max_steps": 2, "width": 8, "image_size": 8, "use_minirocket": False, "use_forest": False}
FITTING = {"max_steps": 60, "width": 8, "scaling": "train", "use_minirocket": False,
           "use_forest": False, "mixup": 0.0,
           "time_warp": 0.0, "crop": 0.0, "learning_rate": 0.02}  # fmt: skip
SMALL_SELECTION = {
    "check_estimators_fit_returns_self", "check_estimators_nan_inf", "check_n_features_in",
    "check_n_features_in_after_fitting", "check_fit2d_1sample", "check_fit2d_1feature",
    "check_classifiers_one_label", "check_dict_unchanged", "check_fit_idempotent",
    "check_methods_sample_order_invariance", "check_dont_overwrite_attributes",
    "check_classifiers_regression_target", "check_dataframe_column_names_consistency",
}  # fmt: skip


def tiny(**options):
    return DualGAFNetClassifier(**{**TINY, "random_state": 0, **options})


def waves(n=24, channels=2, steps=20, seed=0):
    """Windows of two classes that differ in their speed."""
    generator = np.random.default_rng(seed)
    y = np.arange(n) % 2
    t = np.arange(steps)
    x = generator.normal(0, 0.3, (n, channels, steps))
    return x + np.sin(t / (1 + y[:, None, None])), np.array(["fast", "slow"])[y]


X, Y = waves()


def run_checks(estimator, only=None):
    counts, failed = Counter(), []
    for own, check in estimator_checks_generator(estimator):
        name = getattr(check, "func", check).__name__
        if only is not None and name not in only:
            continue
        try:
            check(own)
            counts["passed"] += 1
        except SkipTest:
            counts["skipped"] += 1
        except Exception as error:
            failed.append(f"{name}: {error}")
    print(f"scikit-learn, {type(estimator).__name__}: {dict(counts)}, {len(failed)} failed")
    return counts, failed


@pytest.mark.filterwarnings("ignore")
def test_a_selection_of_the_checks_of_scikit_learn_passes():
    options = {**TINY, "image_size": "auto"}  # windows of the checks have two steps and more
    counts, failed = run_checks(DualGAFNetClassifier(**options), SMALL_SELECTION)
    assert not failed
    assert counts["passed"] >= 11


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_checks_of_scikit_learn_pass():
    counts, failed = run_checks(DualGAFNetClassifier(**FITTING))
    assert not failed
    assert counts["passed"] >= 50


@pytest.mark.filterwarnings("ignore")
def test_all_checks_of_scikit_learn_pass_for_the_transformer():
    counts, failed = run_checks(DualGAFTransformer())
    assert not failed
    assert counts["passed"] >= 40


@pytest.mark.filterwarnings("ignore")
def test_all_checks_of_aeon_pass():
    found = check_estimator(dualgaf.aeon.DualGAFNetClassifier)
    counts = Counter("passed" if text == "PASSED" else text for text in found.values())
    print(f"aeon, DualGAFNetClassifier: {dict(counts)}")
    assert [*counts] == ["passed"]
    assert counts["passed"] >= 22


def test_it_learns_and_tells_what_users_ask():
    model = tiny(max_steps=30, learning_rate=0.01, mixup=0.0).fit(X, Y)
    probabilities = model.predict_proba(X)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-15)
    assert model.classes_.tolist() == ["fast", "slow"]
    assert (model.n_features_in_, model.n_iter_) == (2, 30)
    assert model.score(X, Y) == np.mean(model.predict(X) == Y) > 0.9
    order = np.random.default_rng(1).permutation(len(X))
    assert np.array_equal(model.predict_proba(X[order]), probabilities[order])
    assert np.array_equal(tiny(max_steps=30, learning_rate=0.01, mixup=0.0).fit(X, Y)
                          .predict_proba(X), probabilities)  # fmt: skip


def test_nothing_is_printed_and_no_random_numbers_of_the_program_are_used(capfd):
    import random

    for generator in (random.seed, np.random.seed, torch.manual_seed):
        generator(7)
    environment = dict(os.environ)
    tiny().fit(X, Y).predict(X)
    drawn = (random.random(), np.random.random(), torch.rand(1).item())  # noqa: NPY002
    for generator in (random.seed, np.random.seed, torch.manual_seed):
        generator(7)
    assert drawn == (random.random(), np.random.random(), torch.rand(1).item())  # noqa: NPY002
    assert dict(os.environ) == environment
    assert capfd.readouterr() == ("", "")
    tiny(verbose=1).fit(X, Y)  # control
    assert "Epoch" in "".join(capfd.readouterr())


def test_clone_pickle_and_checkpoint_give_the_same_probabilities(tmp_path):
    model = tiny(use_minirocket=True, images="on_device").fit(X, Y)
    want = model.predict_proba(X)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), want)
    assert np.array_equal(clone(model).fit(X, Y).predict_proba(X), want)
    path = model.save(tmp_path / "gaf.ckpt")
    for kind in (DualGAFNetClassifier, dualgaf.aeon.DualGAFNetClassifier):
        loaded = kind.load(path)
        assert np.array_equal(loaded.predict_proba(X), want)
        assert loaded.classes_.tolist() == ["fast", "slow"]
    loaded = DualGAFNetClassifier.load(path)
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(SeriesError, match="fitted with 2 channels and 20 steps"):
        loaded.predict(X[:, :, :15])
    assert DualGAFClassifier.load_from_checkpoint(path).class_names == ["fast", "slow"]


def test_what_is_not_fitted_says_so(tmp_path):
    with pytest.raises(NotFittedError):
        tiny().predict(X)
    with pytest.raises(SeriesError, match=r"not fitted; type DualGAFNetClassifier\(\)") as told:
        tiny().save(tmp_path / "gaf.ckpt")
    typed = str(told.value).partition("type ")[2]
    assert eval(typed, {"DualGAFNetClassifier": tiny, "X": X, "y": Y}) == tmp_path / "gaf.ckpt"
    assert DualGAFNetClassifier.load(tmp_path / "gaf.ckpt").predict(X).shape == Y.shape
    with pytest.raises(ConfigError, match=r"no\.ckpt is not a checkpoint"):
        DualGAFNetClassifier.load(tmp_path / "no.ckpt")


def test_it_goes_through_model_selection_of_scikit_learn_in_three_dimensions():
    groups = np.arange(len(X)) // 4
    found = GridSearchCV(tiny(), {"head": ["mlp", "simple"]}, cv=2).fit(X, Y)
    assert found.best_params_["head"] in ("mlp", "simple")
    scores = cross_val_score(tiny(), X, Y, groups=groups, cv=StratifiedGroupKFold(2))
    assert len(scores) == 2
    pipeline = make_pipeline(
        FunctionTransformer(lambda x: x - x.mean(axis=2, keepdims=True)), tiny()
    )
    assert pipeline.fit(X, Y).predict(X).shape == (24,)
    calibrated = CalibratedClassifierCV(tiny(), cv=2).fit(X, Y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)


def test_it_goes_through_votes_and_stacks():
    vote = VotingClassifier([("a", tiny()), ("b", tiny(head="simple"))], voting="soft").fit(X, Y)
    mean = (tiny().fit(X, Y).predict_proba(X) + tiny(head="simple").fit(X, Y).predict_proba(X)) / 2
    np.testing.assert_allclose(vote.predict_proba(X), mean, atol=1e-12)
    stack = StackingClassifier([("a", tiny())], LogisticRegression(), cv=2).fit(X, Y)
    assert stack.predict(X).shape == (24,)


def test_parameters_have_the_names_and_defaults_of_what_they_are_handed_to():
    own = signature(NetParameters).parameters
    for kind, names, left_out in (
        (DualGAFDataModule, OF_DATA, {"source", "seed", "shard"}),
        (DualGAFNet, OF_NET, {"n_channels", "num_classes", "image_size", "channel_names"}),
        (DualGAFClassifier, OF_CLASSIFIER, {"net", "class_weights", "class_names"}),
    ):
        theirs = signature(kind.__init__).parameters
        assert {*names} == {*theirs} - left_out - {"self"}, kind
        assert all(own[name].default == theirs[name].default for name in names), kind
    assert {*PARAMETERS} == {*own}
    conf = load_config([])
    assert {name: own[name].default for name in ("max_epochs", "accelerator", "precision")} == {
        name: conf.trainer[name] for name in ("max_epochs", "accelerator", "precision")
    }


def test_the_names_of_the_interface_are_there():
    page = (Path(__file__).resolve().parents[2] / "docs" / "interface.md").read_text()
    told = {*re.findall(r"`dualgaf\.(\w+)\.(\w+)`", page)}
    assert {("sklearn", name) for name in dualgaf.sklearn.__all__} <= told
    assert {("aeon", name) for name in dualgaf.aeon.__all__} <= told
    for module, name in told:
        assert hasattr(import_module(f"dualgaf.{module}"), name), (module, name)


def test_the_transformer_gives_the_fields_for_other_estimators():
    fields = DualGAFTransformer(image_size=9, flatten=False).fit_transform(X)
    assert np.array_equal(fields, dual_gaf(X, image_size=9))
    flat = DualGAFTransformer(image_size=9)
    assert np.array_equal(flat.fit_transform(X), fields.reshape(24, -1))
    assert make_pipeline(flat, KNeighborsClassifier(1)).fit(X, Y).score(X, Y) == 1.0
    trained = DualGAFTransformer(scaling="train").fit(X[:12])
    assert isinstance(trained.renderer_, Renderer)
    low, high = X[:12].min(axis=(0, 2)), X[:12].max(axis=(0, 2))
    np.testing.assert_allclose(trained.renderer_.bounds, [low, high])
    assert pickle.loads(pickle.dumps(trained)).transform(X).shape == (24, 2 * 2 * 20 * 20)


def nested(x):
    columns = {f"c{i}": [pd.Series(row[i]) for row in x] for i in range(x.shape[1])}
    return pd.DataFrame(columns)


def multi_index(x):
    index = pd.MultiIndex.from_product([range(len(x)), range(x.shape[2])])
    return pd.DataFrame(x.transpose(0, 2, 1).reshape(-1, x.shape[1]), index, ["c0", "c1"])


KINDS = {
    "tensor": torch.from_numpy,
    "list of arrays": list,
    "lists": lambda x: x.tolist(),
    "sktime's nested frame": nested,
    "sktime's multi-index frame": multi_index,
    "frames": lambda x: [pd.DataFrame(one.T, columns=["c0", "c1"]) for one in x],
    "mask that hides nothing": np.ma.masked_array,
}


def test_every_kind_of_collection_is_the_same_windows():
    want = tiny().fit(X, Y).predict_proba(X)
    model = tiny().fit(X, Y)
    for name, kind in KINDS.items():
        assert np.array_equal(model.predict_proba(kind(X)), want), name
    for name in ("sktime's nested frame", "list of arrays"):
        assert np.array_equal(tiny().fit(KINDS[name](X), Y).predict_proba(X), want), name
    two_d = tiny().fit(X[:, 0], Y)
    assert two_d.n_features_in_ == 20
    frame = pd.DataFrame(X[:, 0])
    assert np.array_equal(two_d.predict_proba(frame.to_numpy()), two_d.predict_proba(X[:, 0]))
    with pytest.raises(SeriesError, match=r"fitted with 1 channels and 20 steps \(2 dimensions"):
        two_d.predict(np.zeros((3, 20, 2)))


def test_series_of_unequal_length_follow_the_stated_rule():
    ragged = [series[:, : 15 + index % 6] for index, series in enumerate(X)]
    model = tiny().fit(ragged, Y)
    assert model.n_steps_ == 20
    assert model.predict(ragged).shape == (24,)
    one = np.array([np.interp(np.linspace(0, 14, 20), np.arange(15), row) for row in ragged[0]])
    np.testing.assert_allclose(model.predict_proba(ragged)[0], model.predict_proba([one])[0],
                               atol=1e-6)  # fmt: skip
    aeons = dualgaf.aeon.DualGAFNetClassifier(**TINY, random_state=0).fit(ragged, Y)
    np.testing.assert_allclose(aeons.predict_proba(ragged), model.predict_proba(ragged), atol=1e-7)
    with pytest.raises(SeriesError, match="series have 15 to 20 steps"):
        tiny(ragged="error").fit(ragged, Y)
    with pytest.raises(ConfigError, match="ragged='stretch' is not known"):
        tiny(ragged="stretch").fit(ragged, Y)


@pytest.mark.parametrize(
    "labels",
    [[3, 1], [1.0, 2.0], [True, False], ["nan", "?"], ["10", "9"]],
    ids=str,
)
def test_labels_of_every_kind_come_back_as_they_are(labels, tmp_path):
    y = np.array([labels[index % 2] for index in range(24)])
    model = tiny(max_steps=1).fit(X, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.classes_.dtype == y.dtype
    assert {*model.predict(X).tolist()} <= {*labels}
    loaded = DualGAFNetClassifier.load(model.save(tmp_path / "gaf.ckpt"))
    assert loaded.classes_.tolist() == sorted(labels)
    assert loaded.classes_.dtype == y.dtype
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_probabilities_are_in_the_order_of_classes():
    y = np.array([["9", "10"][index % 2] for index in range(24)])  # as texts 10 is first
    model = tiny(max_steps=30, learning_rate=0.01, mixup=0.0).fit(X, y)
    assert model.classes_.tolist() == ["10", "9"]
    assert model.classifier_.class_names == ["9", "10"]
    assert model.score(X, y) > 0.9


BROKEN = X.copy()
BROKEN[3, 1, 4] = np.nan
ENDLESS = X.copy()
ENDLESS[3, 1, 4] = np.inf
MASKED = np.ma.masked_array(X, mask=X > 1)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (BROKEN, "X holds NaN: series 3, channel 1, step 4"),
        (ENDLESS, "X holds infinity (inf): series 3, channel 1, step 4"),
        (nested(BROKEN), "X holds NaN: series 3, channel 'c1', step 4"),
        ([*BROKEN[:4], X[0][:, :9], *BROKEN[5:]], "X holds NaN: series 3, channel 1, step 4"),
        (MASKED, "X is a masked array"),
        (list(MASKED), "X is a masked array"),
        (X[:, :, None], "X has shape (24, 2, 1, 20); needed: (N, C, T), or (N, T) for one"),
        (X[:, :, :1], "needed: (N, C, T) with T of 2 and more"),
        ([*X[:5], X[5][:1], *X[6:]], "X, series 5 has shape (1, 20)"),
        (
            pd.DataFrame({"a": [*X[:, 0]], "b": [X[0, 1], X[1, 1, :9], *X[2:, 1]]}),
            "X, row 1: its cells have (20,), (9,) values; needed: series of the same length",
        ),
        (
            [pd.DataFrame({"a": x[0], "b": x[1]}) for x in X[:5]]
            + [pd.DataFrame({"b": x[0], "a": x[1]}) for x in X[5:]],
            "X, series 5 has the columns ('b', 'a'), series 0 has ('a', 'b'); needed: the same in",
        ),
    ],
)
def test_what_is_missing_or_of_another_shape_is_refused_by_name(x, text):
    with pytest.raises(SeriesError, match=re.escape(text)):
        tiny().fit(x, Y)


def test_an_estimator_without_labels_says_so():
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        tiny().fit(X, None)


def test_one_class_and_channels_of_other_names_are_refused():
    with pytest.raises(SeriesError, match="y has one class only, 'fast'"):
        tiny().fit(X, ["fast"] * 24)
    model = tiny().fit(nested(X), Y)
    with pytest.raises(SeriesError, match="channels c1, c0; it was fitted with c0, c1"):
        model.predict(nested(X)[["c1", "c0"]])


@pytest.mark.parametrize("labels", [[0.5, 2.5], [None, "a"], [np.nan, 1.0], [[0, 1], [1, 0]]])
def test_labels_that_are_no_classes_are_refused(labels):
    with pytest.raises(ValueError, match=r"label|NaN|1d array"):
        tiny().fit(X, [labels[index % 2] for index in range(24)])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_steps": 0}, "max_steps=0 is not allowed"),
        ({"max_epochs": "many"}, "max_epochs='many' is not allowed"),
        ({"storage": "uint4"}, "storage='uint4' is not known"),
        ({"hardware": "3gb"}, "hardware"),
        ({"head": "big"}, "head"),
        ({"random_state": -1}, "random_state=-1 is not allowed"),
        ({"verbose": -1}, "verbose=-1 is not allowed"),
    ],
)
def test_a_parameter_is_refused_as_the_option_of_that_name(options, text):
    with pytest.raises(ConfigError, match=re.escape(text)):
        tiny(**options).fit(X, Y)


def test_class_weights_are_in_the_order_of_classes():
    y = np.array([["9", "10"][int(index > 17)] for index in range(24)])
    for given in ("balanced", [24 / (2 * 6), 24 / (2 * 18)]):
        model = tiny(max_steps=1, class_weights=given).fit(X, y)
        weights = model.classifier_.hparams["loss"]["class_weights"]
        assert weights[1] / weights[0] == pytest.approx(3.0)


def test_train_py_the_data_module_and_the_estimator_give_the_same_probabilities(tmp_path):
    typed = ["data.name=BasicMotions", "data.split.val_fraction=0", "trainer.max_epochs=1",
             "trainer.accelerator=cpu", "model.width=8", "datamodule.image_size=16", "logger=csv",
             "seed=5", f"paths.run_dir={tmp_path}"]  # fmt: skip
    train(load_config(typed))
    (x, y), (x_test, y_test) = (load_basic_motions(split) for split in ("train", "test"))
    options = {"width": 8, "image_size": 16}

    model = DualGAFNetClassifier(max_epochs=1, random_state=5, **options).fit(x, y)
    by_estimator = model.predict_proba(x_test)

    L.seed_everything(5, workers=True, verbose=False)
    data = DualGAFDataModule.from_arrays(train=(x, y), test=(x_test, y_test), image_size=16, seed=5)
    net = DualGAFNet(data.n_channels, data.num_classes, width=8)
    classifier = DualGAFClassifier(net, class_names=data.class_names)
    trainer = L.Trainer(max_epochs=1, gradient_clip_val=1.0, accelerator="cpu", logger=False,
                        enable_checkpointing=False, enable_progress_bar=False,
                        enable_model_summary=False, log_every_n_steps=1,
                        limit_val_batches=0)  # fmt: skip
    trainer.fit(classifier, datamodule=data)
    by_module = torch.cat(trainer.predict(classifier, datamodule=data)).numpy()
    data.close()

    loaded = DualGAFNetClassifier.load(tmp_path / "checkpoints" / "best.ckpt")
    assert (loaded.width, loaded.image_size) == (8, 16)
    by_train = loaded.predict_proba(x_test)
    table = pd.read_csv(tmp_path / "test_predictions.csv")
    written = table[[f"p_{name}" for name in loaded.classes_]].to_numpy()
    np.testing.assert_allclose(by_estimator, by_train, rtol=0, atol=1e-6)
    np.testing.assert_allclose(by_module, by_train, rtol=0, atol=1e-6)
    np.testing.assert_allclose(written, by_train, rtol=0, atol=1e-6)
    other = DualGAFNetClassifier(max_epochs=1, random_state=6, **options).fit(x, y)  # control
    assert abs(other.predict_proba(x_test) - by_train).max() > 1e-3


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
import dualgaf
assert not {"torch", "sklearn", "aeon", "lightning"} & {k for k, v in sys.modules.items() if v}
try:
    import importlib
    importlib.import_module("dualgaf." + sys.argv[1])
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("package", ["sklearn", "aeon"])
def test_without_the_package_the_import_says_what_to_type(package):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, package], capture_output=True, text=True, check=True
    )
    wanted = {"sklearn": 'type pip install "scikit-learn>=1.6"', "aeon": "type pip install aeon"}
    assert done.stdout.strip().endswith(wanted[package])
