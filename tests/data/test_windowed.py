import re
from dataclasses import dataclass, field

import numpy as np
import pytest

from dualgaf import ArchiveSource, DualGAFDataModule, SimulatedSource, SplitSettings, TableSource
from dualgaf.data.windowed import read_windows
from dualgaf.errors import SplitError
from dualgaf.series.series import SeriesSet


@dataclass
class Given:
    """A source of these series."""

    series: SeriesSet
    split: SplitSettings = field(default_factory=SplitSettings)
    window_size: int | None = None
    stride: int | None = None
    ragged: str = "resample"

    def load(self):
        return self.series


def labelled(x, official, **options):
    parts = SeriesSet.from_arrays(x, [str(i % 2) for i in range(len(x))], **options)
    return SeriesSet(**{**vars(parts), "official": tuple(official)})


def test_windows_keep_the_order_of_the_source_whatever_the_split():
    x = np.arange(8 * 6.0).reshape(8, 1, 6)
    series = labelled(x, ["test", "train", "train", "val", "train", "train", "test", "val"])
    windowed = read_windows(Given(series, SplitSettings("official", val_fraction=0)), seed=0)
    assert np.array_equal(windowed.windows.block(0, 8), x)
    rows = {name: rows.tolist() for name, rows in windowed.indices.items()}
    assert rows == {"train": [1, 2, 4, 5], "val": [3, 7], "test": [0, 6]}
    assert windowed.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]


def test_windows_of_each_series_carry_its_label_and_group():
    x = [np.arange(n)[None] * 1.0 for n in (7, 4, 9, 6)]
    series = labelled(x, ["train", "train", "test", "test"], groups=["a", "b", "c", "d"])
    source = Given(series, SplitSettings("official", val_fraction=0), window_size=3, stride=2)
    windowed = read_windows(source, seed=0)
    assert windowed.groups == tuple("aaabccccdd")
    assert windowed.labels.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 1, 1]
    assert windowed.windows.block(4, 6)[:, 0].tolist() == [[0, 1, 2], [2, 3, 4]]


def test_the_length_of_ragged_series_comes_from_training_alone():
    x = [np.ones((1, n)) for n in (5, 7, 30)]
    series = labelled(x, ["train", "train", "test"])
    windowed = read_windows(Given(series, SplitSettings("official", val_fraction=0)), seed=0)
    assert windowed.windows.window_size == 7


def test_a_split_without_a_window_is_named():
    x = [np.ones((1, n)) for n in (9, 9, 4)]
    source = Given(
        labelled(x, ["train", "train", "test"]),
        SplitSettings("official", val_fraction=0),
        window_size=8,
    )
    text = (
        "the test split has no window: its 1 series have at most 4 steps; type data.window_size=4"
    )
    with pytest.raises(SplitError, match=re.escape(text)):
        read_windows(source, seed=0)


def of_lengths(lengths, labels):
    return SeriesSet.from_arrays([np.ones((1, n)) for n in lengths], labels)


def test_a_class_whose_series_are_all_too_short_is_said_to_be_gone(caplog):
    series = of_lengths([9, 9, 9, 9, 4, 5], ["a", "b", "a", "b", "c", "c"])
    split = SplitSettings("stratified", val_fraction=0, test_fraction=0.5)
    windowed = read_windows(Given(series, split, window_size=8), seed=0)
    assert windowed.class_names == ("a", "b")
    assert "2 of 6 series (9 rows) are shorter than a window of 8 steps" in caplog.text
    assert "no window is of class 'c', whose series are all too short" in caplog.text


@pytest.mark.parametrize(
    ("lengths", "says"),
    [
        (
            [20, 20],
            "the val split has no window: its 2 series have at most 4 steps; type "
            "data.window_size=4",
        ),
        (
            [40, 10],
            "class 'b' has no training window: its 1 training series have at most 6 steps, a "
            "window has 8; type data.window_size=6 or less, or leave the class out",
        ),
    ],
)
def test_what_a_cut_in_time_leaves_too_short_is_named(lengths, says):
    """Each series is long enough, its first part or the next one is not."""
    split = SplitSettings("within", val_fraction=0.2, test_fraction=0.2)
    source = Given(of_lengths(lengths, ["a", "b"]), split, window_size=8)
    with pytest.raises(SplitError, match=re.escape(says)):
        read_windows(source, seed=0)


def test_a_sweep_over_seeds_finds_the_same_images():
    pytest.importorskip("aeon")
    modules = [
        DualGAFDataModule(ArchiveSource("BasicMotions"), seed=s, image_size=8, scaling="window")
        for s in (0, 1)
    ]
    for dm in modules:
        dm.setup("fit")
    one, other = modules
    assert one.windows.indices["val"].tolist() != other.windows.indices["val"].tolist()
    assert other.build_reports[0].cache == "hit"
    for dm in modules:  # the images follow their windows through either split
        alone = DualGAFDataModule(
            ArchiveSource("BasicMotions"), image_size=8, scaling="window", images="on_device"
        )
        row = int(dm.windows.indices["val"][2])
        want = alone.draw(np.array([row]))[0][0]
        np.testing.assert_allclose(dm.dataset("val")[2].gasf, want, atol=4e-3)


def test_plant_days_are_cut_by_gap_and_never_shared(shared_data):
    source = TableSource(
        shared_data / "lbnl_ahu",
        pattern="MZVAV-2-2.tidy.csv.gz",
        working_column="occupied",
        window_size=60,
        stride=30,
    )
    windowed = read_windows(source, seed=0)
    days = {name: {windowed.groups[row] for row in rows} for name, rows in windowed.indices.items()}
    assert not days["train"] & days["test"]
    assert not days["train"] & days["val"]
    assert len(set().union(*days.values())) == 26
    # 06:00 to 18:00 are 720 rows a day, so 23 windows of 60 rows every 30
    assert len(windowed.windows) == 26 * 23
    assert windowed.windows.n_channels == 16


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("uea_basicmotions", "BasicMotions"),
        ("uea_natops", "NATOPS"),
        ("uea_epilepsy", "Epilepsy"),
        ("uea_racketsports", "RacketSports"),
        ("uea_articularywordrecognition", "ArticularyWordRecognition"),
        ("uea_japanesevowels", "JapaneseVowels"),
        ("ucr_gunpoint", "GunPoint"),
        ("ucr_ecg200", "ECG200"),
        ("ucr_italypowerdemand", "ItalyPowerDemand"),
    ],
)
def test_every_archive_set_becomes_batches_that_pyts_draws(folder, name, shared_data):
    from oracles import gaf_by_pyts

    pytest.importorskip("aeon")

    source = ArchiveSource(name, root=shared_data / folder)
    as_pyts = {"scaling": "window", "feature_range": (-1.0, 1.0)}
    dm = DualGAFDataModule(source, batch_size=3, seed=1, **as_pyts)
    dm.setup("test")
    batch = next(iter(dm.test_dataloader()))
    raw = dm.windows.windows.take(dm.windows.indices["test"][:3]).astype(np.float64)
    want = gaf_by_pyts(raw, dm.image_size, (-1, 1))
    np.testing.assert_allclose(batch.gasf, want[:, 0], atol=1 / 254 + 1e-6)
    np.testing.assert_allclose(batch.gadf, want[:, 1], atol=1 / 254 + 1e-6)
    np.testing.assert_allclose(dm.series_scaler.inverse_transform(batch.series), raw, atol=1e-4)


def test_simulated_windows_are_as_many_as_asked():
    for n_windows in (60, 101):
        windowed = read_windows(SimulatedSource(n_windows=n_windows), seed=0)
        assert len(windowed.windows) == n_windows


def test_a_digest_tells_splits_apart_that_have_the_same_means():
    x = np.random.default_rng(0).normal(size=(8, 1, 6))
    x = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)

    def digest(marks):
        source = Given(labelled(x, marks.split()), SplitSettings("official", val_fraction=0))
        return read_windows(source, seed=0).digest

    one = digest("train train train val val train test test")
    assert digest("train train train val val train test test") == one
    assert digest("train train val train val train test test") != one
    assert (
        digest("train train train val test train test val") != one
    )  # val windows are learned, too
