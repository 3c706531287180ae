"""Files of the archive: classes as they are written, values, and what is no such file."""

from pathlib import Path

import numpy as np
import pytest

from dualgaf.errors import SourceError
from dualgaf.series.archive import ArchiveSource
from dualgaf.series.tsfile import read_ts

aeon_datasets = pytest.importorskip("aeon.datasets")


def _file(folder, *cases, head="@classLabel true A a", half="TRAIN"):
    path = folder / f"Toy_{half}.ts"
    path.write_text("\n".join(["@problemName Toy", *head.split("\n"), "@data", *cases]) + "\n")
    return path


def test_classes_that_differ_in_case_are_two(tmp_path):
    _file(tmp_path, "1,2,3:A", "3,2,1:a", "7,1,1:a")
    _file(tmp_path, "2,5,1 : A", "1,1,4: a", half="TEST")
    found = ArchiveSource("Toy", root=tmp_path).load()
    assert found.labels == ("A", "a", "a", "A", "a")
    assert found.class_names == ("A", "a")


@pytest.mark.parametrize("cell", ["A", " A", " A ", "\tA"])
def test_blanks_around_a_class_are_none_of_it(tmp_path, cell):
    cases, classes = read_ts(_file(tmp_path, f"1,2,3 :{cell}", "4,5,6:a"))
    assert classes == ["A", "a"]
    assert cases[0].tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("head", "written", "read"),
    [
        ("@classLabel true 1.0 2.0", ["1", "2.0"], ["1.0", "2.0"]),
        ("@CLASSLABEL TRUE banana nanny", ["banana", "nanny"], ["banana", "nanny"]),
        ("@classLabel true A a", ["?", "A"], ["?", "A"]),
        ("@univariate true", ["x", "Y"], ["x", "Y"]),
    ],
)
def test_classes_are_those_of_the_header(tmp_path, head, written, read):
    assert read_ts(_file(tmp_path, *(f"1,2:{c}" for c in written), head=head))[1] == read


CASES = [
    ("1,?,3:A", [[1, np.nan, 3]]),
    ("1,NaN,-3e2:A", [[1, np.nan, -300]]),
    (" 1 , 2 :3,4:A", [[1, 2], [3, 4]]),
]


@pytest.mark.parametrize(("line", "values"), CASES)
def test_values_of_a_case(tmp_path, line, values):
    path = _file(tmp_path, "# a comment", "", line)
    np.testing.assert_array_equal(read_ts(path)[0][0], values)


@pytest.mark.parametrize(
    "line",
    [
        "(0,-1),(1,2),(2,-3.5):(0,1),(1,?),(2,7):A",
        "(0.5, -1), (1.0, 2), (1.5, -3.5) : (0,1),(1,?),(2,7) : A",
        "(2024-01-01 00:00:00,-1),(2024-01-01 00:05:00,2),(2024-01-01 00:10:00,-3.5)"
        ":(0,1),(1,?),(2,7):A",
    ],
)
def test_time_stamps_keep_signs_and_whole_numbers(tmp_path, line):
    """The reader of aeon finds 3.5 alone there."""
    path = _file(tmp_path, line, head="@timeStamps true\n@classLabel true A a")
    cases, classes = read_ts(path)
    np.testing.assert_array_equal(cases[0], [[-1, 2, -3.5], [1, np.nan, 7]])
    assert classes == ["A"]


STAMPS = "@timeStamps true\n@classLabel true A a"


@pytest.mark.parametrize(
    ("cases", "head", "told"),
    [
        (["1,2:B"], "@classLabel true A a", ", line 4: class 'B' is none of those that "
         "the header lists (@classLabel true A a); write it there, or mend the line"),
        (["1,2:3"], "@classLabel true 1 2", ", line 4: class '3' is none of those that"),
        (["1,2:A", "1,2:3,4:A"], "@classLabel true A", ", line 5 has 2 channels, the fir"),
        (["1,2:3:A"], "@classLabel true A", ", line 4: its channels have 2, 1 steps; all"),
        (["1,2"], "@classLabel true A", ", line 4 is '1,2', which has no colon; needed: "),
        (["1,x:A"], "@classLabel true A", " cannot be read: could not convert 'x' to a nu"
         "mber (line 4, channel 1); write ? where a value is missing"),
        (["1,2:A", "1:A"], "@equalLength true\n@classLabel true A", ", line 6 has 1 steps"
         ", the first case has 2, and the header says @equalLength true; mend the line, or write"),
        ([], "@classLabel true A", " has no case below @data; needed: one a line"),
        (["1,2:A"], "@classLabel true", ", line 2 is '@classLabel true'; needed: @classL"),
        (["1,2:A"], "@classLabel A a", ", line 2 is '@classLabel A a'; needed: @classL"),
        (["1,2:A"], "@equalLength maybe", ", line 2 is '@equalLength maybe'; needed: @eq"),
        (["1,2:A"], "1,2:A", ", line 2 is '1,2:A', and there is no @data above it; need"),
        (["(0,1),(1,2),(3,3):A"], STAMPS, ", line 5: its times are not evenly spaced, '0"),
        (["(0,1),2:A"], STAMPS, ", line 5 is '(0,1),2:A', which has no colon; needed"),
        (["(0,1)(1,2):A"], STAMPS, ", line 5 has '(0,1)(1,2)'; needed with @timeStamps tr"),
        (["(x,1),(y,2):A"], STAMPS, ", line 5: 'x' is no time; needed: numbers or ISO"),
    ],
)  # fmt: skip
def test_lines_that_are_not_of_the_format(tmp_path, cases, head, told):
    with pytest.raises(SourceError) as caught:
        read_ts(_file(tmp_path, *cases, head=head))
    assert str(caught.value).removeprefix("Toy_TRAIN.ts").startswith(told)


def test_a_file_in_another_encoding(tmp_path):
    path = tmp_path / "Toy_TRAIN.ts"
    path.write_bytes("@problemName Wärme\n".encode("latin-1"))
    with pytest.raises(SourceError, match=r"Toy_TRAIN\.ts cannot be read: 'utf-8' codec can't"):
        read_ts(path)


def test_a_file_without_data(tmp_path):
    path = tmp_path / "Toy_TRAIN.ts"
    path.write_text("@classLabel true A\n")
    with pytest.raises(SourceError, match="has no line @data; needed: a header, @data and the"):
        read_ts(path)


@pytest.mark.parametrize("name", ["BasicMotions", "PickupGestureWiimoteZ", "JapaneseVowels"])
def test_bundled_sets_are_those_of_aeon_but_for_the_case_of_classes(name):
    path = Path(aeon_datasets.__file__).parent / "data" / name / f"{name}_TRAIN.ts"
    cases, classes = read_ts(path)
    x, y = aeon_datasets.load_from_ts_file(str(path))
    for own, theirs in zip(cases, x, strict=True):
        np.testing.assert_array_equal(own, theirs)
    assert [label.lower() for label in classes] == y.tolist()
    assert name != "BasicMotions" or "Standing" in classes
