"""`ArchiveSource`: bundled sets, folders, formats, errors."""

import sys
from collections import Counter

import numpy as np
import pytest
from aeon.benchmarking.resampling import stratified_resample_data

from dualgaf.errors import ConfigError, SeriesError, SeriesWarning, SourceError
from dualgaf.series import archive
from dualgaf.series.archive import ArchiveSource
from dualgaf.series.splits import SplitSettings, split_series

MARKS = ("train", "test")

BUNDLED = {
    "ACSF1": (200, 1, {1460}, 10),
    "ArrowHead": (211, 1, {251}, 3),
    "BasicMotions": (80, 6, {100}, 4),
    "GunPoint": (200, 1, {150}, 2),
    "ItalyPowerDemand": (1096, 1, {24}, 2),
    "JapaneseVowels": (640, 12, set(range(7, 30)), 9),
    "OSULeaf": (442, 1, {427}, 6),
    "PickupGestureWiimoteZ": (100, 1, None, 10),
}
SHARED = {
    "ArticularyWordRecognition": (575, 9, {144}, 25),
    "BasicMotions": (80, 6, {100}, 4),
    "ECG200": (200, 1, {96}, 2),
    "Epilepsy": (275, 3, {206}, 4),
    "GunPoint": (200, 1, {150}, 2),
    "ItalyPowerDemand": (1096, 1, {24}, 2),
    "JapaneseVowels": (640, 12, set(range(7, 30)), 9),
    "NATOPS": (360, 24, {51}, 6),
    "RacketSports": (303, 6, {30}, 4),
}
HEADER = (
    "@problemName Toy\n@timeStamps false\n@missing true\n@univariate {uni}\n@equalLength {eq}\n"
)


def _toy(folder, train, test, uni="true", eq="true", label="@classLabel true a b\n"):
    folder.mkdir(parents=True, exist_ok=True)
    for half, rows in (("TRAIN", train), ("TEST", test)):
        text = HEADER.format(uni=uni, eq=eq) + label + "@data\n" + "\n".join(rows) + "\n"
        (folder / f"Toy_{half}.ts").write_text(text)
    return folder


def _check(series_set, n_series, n_channels, lengths, n_classes):
    assert (len(series_set), series_set.n_channels) == (n_series, n_channels)
    assert lengths is None or set(series_set.lengths) <= lengths
    assert len(series_set.class_names) == n_classes
    assert set(series_set.official) == {"train", "test"}
    assert len(set(series_set.groups)) == n_series


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets(name):
    source = ArchiveSource(name, download=False)
    series_set = source.load()
    _check(series_set, *BUNDLED[name])
    splits = split_series(series_set, source.split, seed=0)
    assert splits["train"].class_names == splits["test"].class_names == series_set.class_names
    n_official = Counter(series_set.official)
    assert len(splits["train"]) + len(splits["val"]) == n_official["train"]
    assert len(splits["test"]) == n_official["test"]


def test_a_resample_is_that_of_aeon_case_by_case():
    own = ArchiveSource("GunPoint").load()
    half = {mark: [n for n, is_of in enumerate(own.official) if is_of == mark] for mark in MARKS}
    x, y = np.stack(own.values), np.array(own.labels)
    data = [of[half[mark]] for mark in MARKS for of in (x, y)]
    for k in (1, 29):
        resampled = ArchiveSource("GunPoint", archive_resample=k).load()
        given = split_series(resampled, SplitSettings(val_fraction=0), seed=5)
        expected = stratified_resample_data(*data, random_state=k)
        for mark, xs, ys in zip(MARKS, expected[::2], expected[1::2], strict=True):
            assert np.array_equal(np.stack(given[mark].values), xs)
            assert [*given[mark].labels] == [*ys]
        counts = [Counter(given["train"].labels), Counter(y[half["train"]].tolist())]
        assert counts[0] == counts[1]
        assert not np.array_equal(np.stack(given["train"].values), data[0])


@pytest.mark.filterwarnings("ignore:.*labels are missing")
def test_a_resample_needs_classes(tmp_path):
    _toy(tmp_path, ["1,2:a", "3,4:b", "5,6:a"], ["1,3:?", "2,2:b"])
    with pytest.raises(SourceError, match=r"without a class.*leave data.archive_resample out"):
        ArchiveSource("Toy", root=tmp_path, archive_resample=1).load()


@pytest.mark.parametrize("name", SHARED)
def test_sets_in_a_folder_of_folders(shared_data, name):
    _check(ArchiveSource(name, root=shared_data).load(), *SHARED[name])


def test_a_tsv_set_by_hand(shared_data):
    series_set = ArchiveSource("ECG200", root=shared_data / "ucr_ecg200").load()
    first = (
        (shared_data / "ucr_ecg200" / "ECG200_TRAIN.tsv").read_text().splitlines()[0].split("\t")
    )
    assert series_set.labels[0] == first[0] == "-1"
    np.testing.assert_array_equal(series_set.values[0][0], np.array(first[1:], dtype=float))
    assert series_set.class_names == ("-1", "1")


def test_files_in_root_or_in_root_name(tmp_path):
    for folder in (tmp_path / "one", tmp_path / "two" / "Toy", tmp_path / "three" / "elsewhere"):
        _toy(folder, ["1,2,3:a", "3,2,1:b"], ["1,2,4:a"])
    for root in ("one", "two", "three"):
        series_set = ArchiveSource("Toy", root=tmp_path / root).load()
        assert [series.tolist() for series in series_set.values] == [
            [[1, 2, 3]],
            [[3, 2, 1]],
            [[1, 2, 4]],
        ]
        assert series_set.labels == ("a", "b", "a")
        assert series_set.official == ("train", "train", "test")
        assert [(o.source, o.first_row) for o in series_set.origins] == [
            ("Toy_TRAIN.ts", 0),
            ("Toy_TRAIN.ts", 3),
            ("Toy_TEST.ts", 0),
        ]


def test_missing_values_follow_the_policy(tmp_path):
    _toy(tmp_path, ["1,?,3:a", "3,2,1:b"], ["1,2,4:a"])
    with pytest.raises(SeriesError) as caught:
        ArchiveSource("Toy", root=tmp_path).load()
    assert str(caught.value).startswith(
        "series 0 (Toy_TRAIN.ts, row 0), channel 'channel_0', index 1: nan"
    )
    filled = ArchiveSource("Toy", root=tmp_path, nan="interpolate").load()
    assert filled.values[0].tolist() == [[1, 2, 3]]


def test_a_case_without_a_class_is_one_to_predict(tmp_path):
    _toy(tmp_path, ["1,2:a", "2,3:b"], ["3,4:?"])
    with pytest.warns(SeriesWarning, match=r"Toy_TEST.ts: 1 of 1 labels are missing .* is '\?'"):
        assert ArchiveSource("Toy", root=tmp_path).load().labels == ("a", "b", None)


def test_unequal_and_multivariate(tmp_path):
    _toy(tmp_path, ["1,2:5,6:a", "1:2:b"], ["1,2,3:7,8,9:a"], uni="false", eq="false")
    series_set = ArchiveSource("Toy", root=tmp_path).load()
    assert series_set.lengths == (2, 1, 3)
    assert series_set.values[2].tolist() == [[1, 2, 3], [7, 8, 9]]


@pytest.mark.parametrize(("ending", "gap"), [("tsv", "\t"), ("txt", "  "), ("txt", ",")])
def test_padding_at_the_end_of_a_row_is_cut_off(tmp_path, ending, gap):
    rows = [["1", "0.5", "0.25", "NaN"], ["2", "NaN", "1", "2"]]
    for half in ("TRAIN", "TEST"):
        text = "\n".join(gap.join(row) for row in rows) + "\n"
        (tmp_path / f"Toy_{half}.{ending}").write_text(text)
    with pytest.warns(SeriesWarning, match="Toy: 2 of the 2 windows of test are equal to windows"):
        series_set = ArchiveSource("Toy", root=tmp_path, nan="interpolate").load()
    assert series_set.lengths == (2, 3, 2, 3)
    assert series_set.values[0].tolist() == [[0.5, 0.25]]
    assert series_set.values[1].tolist() == [[1, 1, 2]]
    assert series_set.labels == ("1", "2", "1", "2")


def test_a_name_that_is_not_in_root_is_not_taken_from_elsewhere(tmp_path):
    _toy(tmp_path, ["1,2:a"], ["1,2:b"])
    with pytest.raises(SourceError) as caught:
        ArchiveSource("Tot", root=tmp_path).load()
    text = str(caught.value)
    assert text.startswith(
        "set 'Tot' was not found: Tot_TRAIN and Tot_TEST (.ts, .tsv or .txt) are not in "
        f"{tmp_path} or a folder in it; close: Toy; found there: Toy; bundled: ACSF1, "
    )
    assert text.endswith("type data.name=Toy or data.root=null for a bundled set")
    with pytest.raises(SourceError, match="set 'GunPoint' was not found"):
        ArchiveSource("GunPoint", root=tmp_path).load()


def test_half_a_set_is_not_found(tmp_path):
    _toy(tmp_path, ["1,2:a"], ["1,2:b"])
    (tmp_path / "Toy_TEST.ts").unlink()
    with pytest.raises(SourceError, match="found there: no set; bundled"):
        ArchiveSource("Toy", root=tmp_path).load()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(SourceError) as caught:
        ArchiveSource("Toy", root=tmp_path / "no").load()
    assert str(caught.value) == (
        f"there is no folder {tmp_path}/no; type data.root=FOLDER, or data.root=null for the sets "
        "bundled with aeon"
    )


def test_not_bundled_and_no_download():
    with pytest.raises(SourceError) as caught:
        ArchiveSource("GunPoints", download=False).load()
    text = str(caught.value)
    assert text.startswith(
        "set 'GunPoints' was not found: data.download=false and it is not bundled; close: "
        "GunPoint; bundled: ACSF1, ArrowHead, BasicMotions, "
    )
    assert text.endswith("type data.name=GunPoint or data.root=FOLDER")


class _NoNetwork:
    """aeon without a network."""

    __file__ = sys.modules[archive._aeon().__name__].__file__

    @staticmethod
    def load_classification(name, split):
        raise OSError("Name or service not known")


def test_a_download_that_fails(monkeypatch):
    monkeypatch.setattr(archive, "_aeon", lambda: _NoNetwork)
    with pytest.raises(SourceError) as caught:
        ArchiveSource("FordA").load()
    text = str(caught.value)
    assert text.startswith(
        "set 'FordA' was not found: aeon's download failed (Name or service not known); bundled: "
    )
    assert text.endswith("type data.name=NAME or data.root=FOLDER")


class _Network(_NoNetwork):
    @staticmethod
    def load_classification(name, split):
        cases = {"train": [[[1.0, 2.0]], [[2.0, 1.0]]], "test": [[[3.0, 4.0]]]}
        return np.array(cases[split]), np.array(["a", "b"][: len(cases[split])])


def test_a_download_that_works(monkeypatch):
    monkeypatch.setattr(archive, "_aeon", lambda: _Network)
    series_set = ArchiveSource("FordA").load()
    assert series_set.official == ("train", "train", "test")
    assert series_set.values[2].tolist() == [[3, 4]]


def test_without_aeon(monkeypatch):
    monkeypatch.setitem(sys.modules, "aeon.datasets", None)
    with pytest.raises(SourceError) as caught:
        ArchiveSource("BasicMotions").load()
    assert str(caught.value) == (
        'sets of the UCR/UEA archive need aeon; type pip install "dualgaf[datasets]"'
    )


def test_a_regression_problem():
    with pytest.raises(SourceError) as caught:
        ArchiveSource("Covid3Month", download=False).load()
    assert str(caught.value) == (
        "Covid3Month_TRAIN.ts is a regression problem (its header has no classLabel true); "
        "needed: a classification problem; type data.name=BasicMotions"
    )


def test_a_broken_file(tmp_path):
    _toy(tmp_path, ["1,x:a"], ["1,2:b"])
    with pytest.raises(SourceError, match=r"Toy_TRAIN\.ts cannot be read: could not convert"):
        ArchiveSource("Toy", root=tmp_path).load()


@pytest.mark.parametrize(
    ("ending", "text", "says"),
    [
        ("tsv", "a\t1\t2\nb\tx\t3\n", "could not convert"),
        ("txt", "1 0.5 x\n", "could not convert string 'x' to float"),
    ],
)
def test_a_broken_file_of_the_other_formats(tmp_path, ending, text, says):
    for half in ("TRAIN", "TEST"):
        (tmp_path / f"Toy_{half}.{ending}").write_text(text)
    with pytest.raises(SourceError, match=rf"Toy_TRAIN\.{ending} cannot be read: {says}") as caught:
        ArchiveSource("Toy", root=tmp_path).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": "../x"}, "data.name='../x' is not allowed; allowed: the name of one set of the"),
        ({"name": ""}, "data.name='' is not allowed"),
        ({"download": "no"}, "data.download='no' is not allowed; allowed: true, false; type"),
        ({"root": 3}, "data.root=3 is not allowed; allowed: a folder, or null for the sets bundl"),
        ({"ragged": "cut"}, "data.ragged='cut' is not known; allowed: resample, pad, truncate, e"),
        ({"nan": "drop"}, "data.nan='drop' is not known; allowed: error, interpolate; type data"),
        ({"window_size": 0}, "data.window_size=0 is not allowed"),
        (
            {"split": {"method": "cv"}},
            "data.split.method='cv' is not known; allowed: official, group",
        ),
    ],
)
def test_settings_fail_at_construction(fields, text):
    with pytest.raises(ConfigError) as caught:
        ArchiveSource(**fields)
    assert str(caught.value).startswith(text)
