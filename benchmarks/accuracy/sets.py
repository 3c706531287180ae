"""The sets of the benchmark, how each is split, what is to be reached and what is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from dualgaf.series.source import Source

ROOT = Path(__file__).resolve().parents[2]

UEA = "Disjoint-CNN, All_Models.csv"
UCR = "30 resamples: MultiRocket, all_resamples_average.csv; Hydra, results_ucr112_variants.csv"


@dataclass(frozen=True)
class BenchmarkSet:
    """One set; the file of this name in ``conf/experiment`` says where and how it is read."""

    name: str
    """Name of the experiment."""
    title: str
    """Name for people."""
    reach: float | None = None
    """Test accuracy that DualGAFNet is to reach; None = macro F1 above every baseline."""
    best: str = "-"
    """The best that is known."""
    source: str = "-"
    """Where that was read."""
    parts: int | None = 1
    """1 = split as the experiment says. More: the cases of each class are dealt to so many parts,
    and each part is left out once. None = each group, a day, is left out once. Predictions of all
    that were left out are counted together."""


_ARCHIVE = (
    BenchmarkSet("basic_motions", "BasicMotions", 1.0, "1.00 (InceptionTime, ResNet)", UEA),
    BenchmarkSet("natops", "NATOPS", 0.97, "0.972 (Disjoint-CNN); ResNet 0.971, ROCKET 0.885", UEA),
    BenchmarkSet("epilepsy", "Epilepsy", 0.99, "1.00 (HIVE-COTE); ROCKET 0.991", UEA),
    BenchmarkSet("racket_sports", "RacketSports", 0.92, "0.917 (InceptionTime)", UEA),
    BenchmarkSet(
        "articulary_word_recognition", "ArticularyWordRecognition", 0.99, "0.996 (ROCKET)", UEA
    ),
    BenchmarkSet(
        "japanese_vowels",
        "JapaneseVowels",
        0.99,
        "0.993 (FCN)",
        "dl-4-tsc, results-mts-avg-std.csv",
    ),
    BenchmarkSet("gunpoint", "GunPoint", 0.995, "0.999 (HC2, Hydra+MultiRocket)", UCR),
    BenchmarkSet("ecg200", "ECG200", 0.90, "0.90 (MiniRocket, ROCKET)", UCR),
    BenchmarkSet("italy_power_demand", "ItalyPowerDemand", 0.965, "0.965 (MultiRocket)", UCR),
)
_PLANTS = (
    BenchmarkSet("mzvav_2_2", "AHU MZVAV-2-2", parts=None),
    BenchmarkSet("szcav", "AHU SZCAV, component", parts=None),
    BenchmarkSet("mzvav_2_1", "AHU MZVAV-2-1", parts=None),
    BenchmarkSet("tennessee_eastman", "Tennessee Eastman"),
    *(BenchmarkSet(f"robot_lp{n}", f"Robot failures LP{n}", parts=5) for n in range(1, 6)),
)
SETS = {chosen.name: chosen for chosen in (*_ARCHIVE, *_PLANTS)}


def read_source(name: str, overrides: Sequence[str] = ()) -> Source:
    """The source of an experiment, without what trains: a baseline's memory has no torch in it."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", overrides=[f"experiment={name}", "paths.run_dir=.", *overrides])
    return cast(Source, instantiate(cfg.data, _convert_="all"))


def folds(chosen: BenchmarkSet) -> list[list[str]]:
    """For each training of a set what is typed beside ``experiment=NAME``."""
    if chosen.parts == 1:
        return [[]]
    series = read_source(chosen.name).load()
    of_group = dict(zip(series.groups, series.labels, strict=True))
    groups = sorted(of_group, key=lambda group: (of_group[group], group))
    names = [group.rpartition("/")[2] for group in groups]
    n_parts = chosen.parts or len(names)
    parts = [names[part::n_parts] for part in range(n_parts)]
    return [[f"data.split.test_groups=[{','.join(part)}]"] for part in parts]
