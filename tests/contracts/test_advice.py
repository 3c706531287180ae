"""Every message that says what to type: it is typed, and works.

A new message with advice needs a row here, or a place in `ELSEWHERE` with the reason.
"""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from omegaconf import OmegaConf
from scipy.sparse import csr_matrix

import dualgaf
from advice import (
    Call,
    Command,
    advised,
    base_of,
    message_of,
    outcome,
    says,
    typed,
    words_of,
)
from advice_sources import templates
from advice_tables import (
    AUTUMN,
    DIALECTS,
    HOLE,
    LATER,
    NO_LABEL,
    NOTES,
    PLANT,
    STRAY,
    WITHIN,
    plant,
    table,
)
from dualgaf.cli import main
from dualgaf.errors import DualGAFError
from dualgaf.pyts import GramianAngularField
from dualgaf.sklearn import DualGAFTransformer
from dualgaf.training import run_folder
from dualgaf.training.config import load_config
from dualgaf.training.resume import in_full
from dualgaf.training.run import train

SIMULATED = "data=simulated data.n_windows=48 data.window_size=12"
UNKNOWN = "{}={} is not known; allowed: {}; type {}"
NOT_ALLOWED = "{}={} is not allowed; allowed: {}; type {}"
MEANT = "{}{}; type {}"


def keys(wrong, base="", says=MEANT, **more):
    """A command that needs no data."""
    return Command(says, wrong, base, until="keys", **more)


def value(wrong, says=NOT_ALLOWED, base=SIMULATED, **more):
    """A value that is refused."""
    return Command(says, wrong, base, **more)


COMMANDS = [
    *DIALECTS,
    # what is not there, and what is meant
    keys("epochs=5"),
    keys("lr=0.1"),
    keys("batch_size=32"),
    keys("root=here", "data=ahu"),
    keys("window=24", "data=simulated"),
    keys("trainer.epochs=3"),
    keys("data.label_column=fault", "data.root=x"),
    keys("trainer.limit_val_batch=0"),
    keys("+trainer.limit_val_batch=0"),
    keys("callbacks.early_stopping.min_delta=0.1"),
    keys("model=resnet", says=UNKNOWN),
    keys("logger=tensorbord", says=UNKNOWN),
    keys("logger=csv,tensorboard", says="type {}=[{}] for all of them at once", leave=(1,)),
    keys("model=rich,largest", says="type {}={} for one run", leave=(0,)),
    keys("~model", says="no run is without {}; allowed to be left out: {}; type {}={}"),
    keys("logger=null", says="{}: a group is left out by a tilde; type ~{}"),
    keys("~seed", says="type {}={}"),
    keys("+trainer.max_epochs=3", says="{} is there already; type {}"),
    keys("+experiment=natops", says="{} is there already; type {}"),
    keys("'data.root=AHU Süd (1)'", "data=ahu", says="needs quotes inside quotes; type {}"),
    keys("data.name=A,B", says="type {} for one name"),
    keys("data.name=A,B", says="type -m {}", leave=(1,)),
    keys("data.channels=temp,flow", "data=ahu data.root=x", says="type {} for a list"),
    keys("model.use_kernels=false", says="{} is now called {}; type {}"),
    table(
        "needs quotes inside quotes; type {}",
        PLANT.replace("fault", "Störung"),
        "data.label_column=Störung",
        whole=True,
    ),
    table("{} is missing; type {}=...", PLANT, "data.root=???", given={"...": "{folder}"}),
    # values that are not allowed
    value("data.stride=0"),
    value("datamodule.batch_size=0"),
    value("datamodule.num_workers=-1"),
    value("seed=-1"),
    value("trainer.max_epochs=0"),
    value("parallel.chunk_size=0"),
    value("cache.dir=5", given={"FOLDER": "{folder}"}),
    value("datamodule.storage=int8", UNKNOWN),
    value("datamodule.scaling=minmax", UNKNOWN),
    value("images=lazy", UNKNOWN),
    value("datamodule.shard=rank", UNKNOWN),
    value("parallel.backend=dask", UNKNOWN),
    value("data.split.method=random", UNKNOWN),
    value("model.head=x", UNKNOWN, until="network"),
    value("hardware.memory=much", "is not a size; allowed: a number above 0"),
    value("datamodule.image_size=x", "is not a whole number; type image_size=48", "data=simulated"),
    value("datamodule.image_size=1", "allowed: 2 to the window's length", "data=simulated"),
    value("datamodule.image_size=99", "image_size={} does not fit a window of {} steps"),
    value("datamodule.scaling=none", "which scaling=none does not allow", until="images"),
    value(
        "parallel.backend=process parallel.shm=false",
        "cannot fill private memory (parallel.shm=false); type",
        until="images",
    ),
    value("data.root=nowhere", "there is no folder {}; type data.root=FOLDER, or", "data=ucr"),
    value("data.name=BasicMotion", "type data.name={} or {}", "data=ucr data.download=false"),
    value("datamodule.feature_range=[2,3]", "allowed: two numbers low < high inside [-1, 1]"),
    value(
        "images=precompute",
        "images={} keeps them; type images=on_device",
        f"{SIMULATED} datamodule.augmentation.jitter=0.1",
    ),
    value("classifier.class_weights=[0,1,1,1,1]", "above 0 for each class; type", until="network"),
    value(
        "classifier.class_weights=balanced",
        "class_weights are given twice",
        f"{SIMULATED} +loss.class_weights=[1,1,1,1,1]",
        until="network",
    ),
    value(
        "+model.groups.a={extractor:dilated}",
        "type ++model.groups.{}.channels={}",
        f"{SIMULATED} model=signal_groups",
        until="network",
    ),
    # splits
    value(
        "data.split.method=official",
        "data.split.test_groups does not go with",
        f"{SIMULATED} data.split.test_groups=[day_1]",
    ),
    value(
        "data.split.val_fraction=0.6 data.split.test_fraction=0.6",
        "leave nothing to train; allowed: a sum below 1",
    ),
    value("data.split.method=official", "prescribes no split for {}; allowed here: group"),
    value("data.split.fold=5 data.split.method=fold", "is not allowed; allowed: 0 to {}, for"),
    value("data.split.fold=99 data.split.method=leave_one_out", "data.split.fold={} is not there"),
    value("data.split.n_folds=99 data.split.method=fold", "and no group is cut; type {}, or add"),
    value("data.split.method=fold data.split.test_groups=[day_1]", "where data.split.fold says"),
    value("data.split.test_groups=[day_99]", "no group is called {} (data.split.test_groups)"),
    table(
        "and train needs one of each class; type {}, data.split",
        plant(days=3, labels="abc"),
        base="data.window_size=4",
    ),
    table(
        "splits ({}); type data.split.method=within{}, or add data",
        plant(days=2),
        base="data.window_size=3",
    ),
    table(
        "splits ({}); type data.split.method=within{}, or add data",
        plant("{time},{temp},{flow},{part}", days=2),
        base="data.window_size=2",
    ),
    table(
        "type data.split.method=within to cut each series in time",
        plant("{day},{temp},{flow},{label}", "unit,temp,flow,fault"),
        "data.split.method=time",
        base="data.group_columns=[unit] data.window_size=2",
    ),
    table(
        "type data.split.method=within to cut each series in time",
        PLANT,
        "data.split.method=time",
        base="data.group_columns=null data.window_size=2",
    ),
    table(
        "prescribes no series for train, only {}",
        plant("{time},{temp},{flow},{label},test", "time,temp,flow,fault,part"),
        "data.split.method=official data.split_column=part",
    ),
    table(
        "a group may be in one split only; type data.split.method=group",
        plant("{time},{temp},{flow},{label},{part}", "time,temp,flow,fault,part"),
        "data.split.method=official",
        base="data.split_column=part data.window_size=4",
    ),
    # windows
    table("type {}window_size={} or less", PLANT, "data.window_size=30", leave=(1,)),
    table(
        "type {} where a series may go on over groups",
        plant(labels="aaaabbbb"),
        "data.window_size=30",
        leave=(0,),
        base="data.split.val_fraction=0.4 data.split.test_fraction=0",
    ),
    table(
        "needed: {} each; type {}, pad or truncate",
        PLANT.replace("2020-01-01 00:00,0,0,a\n", ""),
        "data.window_size=null",
        base="data.window_size=null",
    ),
    table(
        "{} has {} steps, truncate needs {}; type {} or {}",
        PLANT.replace("2020-01-01 00:00,0,0,a\n", ""),
        "data.ragged=truncate",
        base="data.window_size=null",
    ),
    table(
        "{}; type {}window_size=96 where series have as many",
        plant("{n},{temp},{flow},{label}", "step,temp,flow,fault", 8),
        "data.window_size=null data.group_columns=[step]",
        base="data.group_columns=[step] data.window_size=null data.split.method=stratified",
        then={0: "is longer than every series"},
    ),
    # columns and files
    table(
        "it has: {}{}; type data.label_column=NAME",
        PLANT.replace("fault", "state"),
        "data.label=column",
        given={"NAME": "state"},
        leave=(1,),
    ),
    table(
        "it is the name of the file; type data.label_column=NAME",
        PLANT.replace("fault", "state"),
        given={"NAME": "state"},
    ),
    table("{}, or type data.label=auto", PLANT, "data.label=fault"),
    table("type {}", PLANT.replace("fault", "Fault Ground Truth"), "data.label_column=Fault"),
    table("if that means missing, type {}", STRAY, base="data.nan=interpolate"),
    table("allowed: finite numbers; type {} to fill gaps", HOLE),
    table(
        "allowed: finite numbers; type {} to fill gaps",
        {"a.csv": PLANT, "b.csv": plant("{time},{temp},,{label}").replace("2020", "2021")},
    ),
    table(
        "leave the channel out: type {}",
        plant("{time},{temp},,{label}"),
        base="data.channels=[temp,flow] data.nan=interpolate",
    ),
    table(
        "to leave the column out type {}",
        plant("{time},{temp},{flow},x,{label}", "time,temp,flow,note,fault"),
        "data.channels=[temp,note]",
    ),
    table(
        "there is no folder or file {}; type", PLANT, "data.root=no", given={"FOLDER": "{folder}"}
    ),
    table(
        "folder {} has no {}; it has: {}; allowed",
        PLANT,
        "data.pattern=*.parquet",
        given={"FOLDER": "{folder}"},
        leave=(1,),
    ),
    table("is of an unknown kind; allowed", {"a.csv": PLANT, "note.pdf": "x"}, "data.pattern=*"),
    table("is beyond its end; type data.header_line=1", PLANT, "data.header_line=999"),
    table("below it; type data.header_line={}", f"# by hand\n{PLANT}", "data.header_line=1"),
    table(
        "both cut every line into {} cells; type data.separator",
        plant("{n},{temp};{label}", "step,temp;fault"),
        base=WITHIN,
        then={0: "has no numeric column that could be a channel"},
    ),
    table(
        "and no cell tells which; type data.decimal=point",
        plant('{time},"1,{temp}23",{flow},{label}'),
    ),
    table(
        "if they are a class of their own (often the normal one), type",
        plant(labels=["a", "b", "a", "b", "a", "b", "a", ""]),
    ),
    table(
        "have one name, and the class is the name of the file",
        {
            "1/a.csv": NO_LABEL,
            "2/a.csv": plant("{time},{flow},{temp}", "time,temp,flow").replace("2020", "2021"),
        },
        base="data.pattern=*/*.csv",
        then={0: "train has one class only"},
    ),
    table(
        "no date of the folder tells which; type {}",
        plant("{day}/3/2020 {hour}:00,{temp},{flow},{label}"),
    ),
    table(
        "a row without a time has no place",
        plant(",{time},{temp},{flow},{label}", "stamp,time,temp,flow,fault"),
        base="data.time_column=stamp",
        given={"NAME": "time"},
    ),
    table(
        "is no time; known are ISO",
        PLANT.replace("2020-", "2020_"),
        given={"%d/%m/%Y %H:%M": "%Y_%m-%d %H:%M"},
        then={1: "for 3 splits"},
    ),
    table(
        "type {} to leave {} out",
        {"ahu_1.csv": PLANT, "ahu_2.csv": LATER, "log.csv": "start,end,class\n2020-01-01,,a\n"},
    ),
    table(
        "type {} to leave {} out",
        {"a.csv": PLANT, "b.csv": LATER, "log.csv": "start,end,class\n2020-01-01,,a\n"},
    ),
    table("type {} for those of both files", {"a.csv": PLANT, "b.csv": LATER.replace("flow", "x")}),
    table(
        "is no split; allowed: {}; type data.split_column=null", PLANT, "data.split_column=fault"
    ),
    table(
        "has more than one column of times",
        plant("{time},2020-02-02 00:00,{temp},{flow},{label}", "von,bis,temp,flow,fault"),
    ),
    table(
        "choose files of one kind, {}, or leave the column out, type",
        {"a.csv": NO_LABEL, "b.csv": LATER},
        then={0: "train has one class only"},
    ),
    table(
        "needs one row a time; {}, or type data.time_column=null for rows that are in order",
        plant(
            "{time},x,{temp},{flow},{label}\n{time},y,{flow},{temp},{label}",
            "time,unit,temp,flow,fault",
        ),
        base=WITHIN,
    ),
    table(
        "name the columns that tell runs apart: type {}",
        plant(
            "{time},1,{temp},{flow},{label}\n{time},2,{flow},{temp},{label}",
            "time,plant,temp,flow,fault",
        ),
        base=WITHIN,
        given={"NAME": "plant"},
    ),
    table(
        "; if each row is one value of one sensor, type {}",
        plant("{time},x,{temp},{label}\n{time},y,{flow},{label}", "time,unit,temp,fault"),
        base=WITHIN,
        leave=(0, 1),
    ),
    table(
        "; if it is the hour that comes twice in autumn, type the zone",
        AUTUMN.replace("2020-10-25 02:00,2,2,a\n", "2020-10-25 02:00,2,2,a\n" * 2),
        base=WITHIN,
    ),
    table("does not fit, {}; type data.max_gap={}", PLANT, "data.max_gap=3"),
    table(
        "(there: {}); type {} or data.working_column=null",
        PLANT,
        "data.working_column=flow data.working_value=77",
    ),
    table(
        "a network would learn it instead of the plant; type {}",
        plant("{time},{temp},{flow},{n},{label}", "time,temp,flow,n,fault"),
    ),
    table(
        "choose files with data.pattern=..., or type {}",
        {
            "a.csv": plant("{time},{temp} °C,{flow},{label}"),
            "b.csv": plant("{time},{temp} °F,{flow},{label}").replace("2020", "2021"),
        },
    ),
]


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: (row.wrong or row.says)[:60])
def test_what_a_message_advises_is_typed_and_works(row, tmp_path):
    base, wrong = base_of(row, tmp_path), shlex.split(row.wrong)
    given = {
        example: real.replace("{folder}", str(tmp_path)) for example, real in row.given.items()
    }
    message = message_of(row, typed(base, wrong))
    assert message is not None
    assert says(row.says, message), message
    assert "\n" not in message
    commands = advised(replace(row, given=given), message)
    assert commands, message
    for number, words in enumerate(commands):
        found = message_of(row, typed(base, words))
        if number in row.then:
            assert row.then[number] in str(found), (message, words)
        else:
            assert found is None, (message, words)


@pytest.mark.parametrize("row", NOTES, ids=lambda row: row.says[:60])
def test_what_a_note_advises_is_typed_and_works(row, tmp_path):
    base = base_of(row, tmp_path)
    notes = dualgaf.TableSource(tmp_path, window_size=12).load().facts.notes
    (message,) = [note for note in notes if says(row.says, note)]
    commands = advised(row, message)
    assert commands, message
    for words in commands:
        assert message_of(row, typed(base, words)) is None, (message, words)


def nested(x):
    """A frame with a series in each cell."""
    return pd.DataFrame({name: [pd.Series(row[k]) for row in x] for k, name in enumerate("ab")})


def panel(x):
    """A frame with a row for each series and step."""
    return pd.concat([pd.DataFrame(row.T) for row in x], keys=range(len(x)))


RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 2, 16)), [0, 1] * 6
FLAT, HOLES, MASK = X[:, 0], np.where(X > 2, np.nan, X), np.ma.masked_array(X, X > 2)
BY_HAND = np.array([[[1, 0, -1], [0, -1, 0], [-1, 0, 1]], [[0, 1, 0], [-1, 0, 1], [0, -1, 0]]])
"""GASF and GADF of -1, 0, 1."""
FRAMES = [pl.DataFrame(row.T, schema=["temp", "flow"]) for row in X]
WIDE = pd.DataFrame(X[0])
PANDAS = [pd.DataFrame(row.T, columns=["temp", "flow"]) for row in X]
DAYS = np.datetime64("2024-05-01", "us") + np.arange(12 * 2 * 16).reshape(12, 2, 16)
DOORS = ("windows(({}, y))", "dual_gaf({})")
TEXT_NUMBERS = "to read them type {}"
NAMES = {
    "np": np,
    "ArraySource": dualgaf.ArraySource,
    "DataModule": dualgaf.DualGAFDataModule,
    "data": dualgaf.DualGAFDataModule.from_arrays,
    "windows": lambda *given, **more: dualgaf.DualGAFDataModule.from_arrays(*given, **more).windows,
    "dual_gaf": dualgaf.dual_gaf,
    "x": X,
    "y": Y,
    "hole": np.where(np.arange(16) == 3, np.nan, X),
    "some": np.where(np.arange(12)[:, None, None] == 3, np.nan, X),
    "dead": np.where(np.arange(2)[:, None] == 1, np.nan, X),
    "ragged": [row[:, : 16 - k % 3] for k, row in enumerate(X)],
    "texts": X.astype(str),
    "objects": X.astype(str).astype(object),
    "commas": np.char.replace(X.astype(str), ".", ","),
    "with_state": np.concatenate([X[:, :1].astype(str), np.full((12, 1, 16), "on")], axis=1),
    "with_day": np.concatenate([X[:, :1].astype(object), DAYS[:, :1].astype(object)], axis=1),
    "days": DAYS,
    "text_pandas": [frame.astype({"flow": str}) for frame in PANDAS],
    "text_polars": [frame.cast({"flow": str}) for frame in FRAMES],
    "day_pandas": [frame.assign(day=DAYS[0, 0]) for frame in PANDAS],
    "day_polars": [frame.with_columns(day=pl.Series(DAYS[0, 0])) for frame in FRAMES],
    "frames": FRAMES,
    "frame": WIDE,
    "long": RNG.normal(size=(12, 1, 200)),
    "tall": np.swapaxes(RNG.normal(size=(12, 2, 16)), 1, 2),
    "one_hot": np.eye(2)[Y],
    "nested": nested(X),
    "panel": panel(X),
    "rows": pl.DataFrame({"step": range(24), "temp": RNG.normal(size=24), "fault": ["a"] * 24}),
    "tabular": lambda given, **more: dualgaf.FrameSource(given, window_size=4, **more).load(),
    # one field, and back
    "dualgaf": dualgaf,
    "dual_gaf_inverse": dualgaf.dual_gaf_inverse,
    "pyts": lambda x, **more: GramianAngularField(4, **more).transform(x),
    "fields": dualgaf.dual_gaf(X),
    "packed": dualgaf.dual_gaf(X, layout="packed"),
    "packed_up": dualgaf.dual_gaf(X, feature_range=(0, 1), layout="packed"),
    "ints": BY_HAND,
    "flat": FLAT,
    "flat_hole": HOLES[:, 0],
    "flat_mask": MASK[:, 0],
    "sparse": csr_matrix(FLAT),
    "rowed": pd.DataFrame(FLAT).assign(unit="ahu"),
    "dated": pd.DataFrame(FLAT).assign(day=DAYS[0, 0, :12]),
    "headed": [[f"t{step}" for step in range(16)], *FLAT.tolist()],
    # collections
    "fit": DualGAFTransformer(image_size=4).fit,
    "collection": HOLES,
    "mask": MASK,
    "uneven": [row[:, : 16 - k % 3] for k, row in enumerate(HOLES)],
    "nested_hole": nested(HOLES),
    "panel_hole": panel(HOLES),
    "deep": pd.concat({"p": panel(X), "q": panel(X)}),
}
INVERSE_TYPE = "{} has type {}; allowed: float32, float64, float16, uint8, uint16"
SHAPE = "X has shape {}; needed: (N, T), series, steps; type {}"
NO_VALUE = "holds a NaN, an infinity or a masked value; fill its gaps"
NO_NUMBER = "; to leave such {} out type np.delete(np.asarray(X), {}, axis={})"
GAPS = "X holds {}: series {}, channel {}, step {}; fill its gaps"
MASKED = "X is a masked array, and {} of its values are masked"

CALLS = [
    Call(
        "allowed: finite numbers; type {} to fill gaps",
        "windows((hole, y))",
        "windows((hole, y), {})",
        pick=r"type (nan=\S+) to",
    ),
    Call(UNKNOWN, "windows((x, y), nan='drop')", "windows((x, y), {})"),
    Call(NOT_ALLOWED, "windows((long, y), window_size=1)", "windows((long, y), {})"),
    Call(
        "needed: {} each; type {}, pad or truncate",
        "windows((ragged, y))",
        "windows((ragged, y), {})",
        pick=r"type (ragged=\S+),",
    ),
    Call(
        "{} has {} steps, truncate needs {}; type {} or {}",
        "windows((ragged, y), ragged='truncate')",
        "windows((ragged, y), {})",
        pick=r"(ragged=\S+)",
    ),
    Call(
        'type ragged="resample", "pad" or "truncate"',
        "windows((x, y), test=(x[:, :, 2:], y))",
        "windows((x, y), test=(x[:, :, 2:], y), {})",
        pick=r'type (ragged="resample")',
    ),
    Call(
        "type np.delete(x, {}, axis=1) in every split",
        "windows((dead, y), nan='interpolate')",
        "[x := dead, windows(({}, y))]",
        pick=r"type (np\..+) in every",
    ),
    Call(
        "for (N, T, C) type x.swapaxes(1, 2)",
        "windows((x[:, :, :1], y))",
        "[x := np.swapaxes(x[:, :1], 1, 2), windows(({}, y))]",
    ),
    Call(
        "windows, channels, steps; for univariate series type x[:, None, :]",
        "windows((x[:, 0], y))",
        "[x := x[:, 0], windows(({}, y))]",
    ),
    Call(
        "; for univariate series type x[:, None, :]",
        "dual_gaf(x[:, 0])",
        "[x := x[:, 0], dual_gaf({})]",
    ),
    Call("or leave such windows out: type", "dual_gaf(some)", "[x := some, dual_gaf({})]"),
    Call(
        "for a univariate series type np.asarray(series)",
        "windows((list(x[:, 0]), y))",
        "[f := lambda series: {}, windows(([f(row) for row in x[:, 0]], y))]",
    ),
    Call(
        "give frames only, or type [frame",
        "windows(([frames[0], *x[1:]], y))",
        "[x := frames, windows(({}, y))]",
    ),
    Call(
        "a list of frames, each with rows as times",
        "windows((frame, y))",
        "windows(({}, [0, 1]))",
        pick=r"or (frame\..+) if each row",
    ),
    Call(
        "a list of frames, each with rows as times",
        "windows((frame, y))",
        "[frame := frame.T, windows(({} * 2, [0, 1]))]",
        pick=r"type (\[frame\]) for one",
    ),
    Call(
        "type frame.T if columns are times, or",
        "windows(([frame] * 2, [0, 1]))",
        "windows(([{}] * 2, [0, 1]))",
        pick=r"(frame\.T|frame\.add_prefix\('channel_'\))",
    ),
    # what is no number
    *(
        Call(TEXT_NUMBERS, door.format(x), f"[x := {x}, {door}]")
        for door in DOORS
        for x in ("texts", "objects", "texts.astype(bytes)")
    ),
    Call(TEXT_NUMBERS, "dual_gaf(texts.tolist())", "[x := texts.tolist(), dual_gaf({})]"),
    *(
        Call(TEXT_NUMBERS, f"windows(({x}, y))", f"windows(([{{}} for series in {x}], y))")
        for x in ("[*texts]", "[*objects]", "texts.tolist()")
    ),
    Call(
        "to read them type np.char.replace({}, ',', '.').astype(float)",
        "dual_gaf(commas)",
        "[x := commas, dual_gaf({})]",
    ),
    *(
        Call("to leave such channels out type {}", door.format(x), f"[x := {x}, {door}]")
        for door in DOORS
        for x in ("with_state", "with_day", "with_day.astype(str)")
    ),
    Call(
        "to leave such channels out type {}",
        "windows((with_state.tolist(), y))",
        "windows(([{} for series in with_state.tolist()], y))",
    ),
    *(
        Call(
            "for seconds type {} / {}",
            door.format(x),
            f"[x := {x}, {door}]",
            pick=r"for seconds type (.+)$",
        )
        for door in DOORS
        for x in ("days", "days - days.min()")
    ),
    Call(
        "type np.real({}) or np.abs({})",
        "dual_gaf(x + 1j * x)",
        "[x := x + 1j * x, dual_gaf({})]",
        pick=r"(np\.\w+\(x\))",
    ),
    *(
        Call(
            "to read it type {}",
            f"windows(({frames}, y))",
            f"windows(([{{}} for frame in {frames}], y))",
        )
        for frames in ("text_pandas", "text_polars")
    ),
    *(
        Call(
            "to leave it out type {}",
            f"windows(({frames}, y))",
            f"windows(([{{}} for frame in {frames}], y))",
        )
        for frames in ("day_pandas", "day_polars")
    ),
    Call(
        "one label a series (for one-hot rows type",
        "windows((x, one_hot))",
        "[y := one_hot, windows((x, {}))]",
        pick=r"type (.+)\)$",
    ),
    Call(
        "{}, with a series in each cell; needed",
        "windows((nested, y))",
        "[frame := nested, windows(({}, y))]",
    ),
    Call(
        "in each cell; needed: one number a cell; type",
        "windows(([nested] * 2, [0, 1]))",
        "[frame := nested, windows(({}, y))]",
        pick=r"type (.+) for a frame",
    ),
    Call(
        "with series by the first level of its index",
        "windows((panel, y))",
        "[frame := panel, windows(({}, y))]",
    ),
    Call("{} is {}; needed: a pair (x, y); type {}=(x, y)", "data(x)", "data({})"),
    Call(
        "give each window to one split, or type ",
        "windows((x, y), test=(x, y))",
        "windows((x, y), test=(x, y), {})",
        pick=r'type (overlap="allow") to',
    ),
    Call(
        "was read as (N, C, T): windows of {} channels",
        "windows((tall, y))",
        "[x := tall, windows(({}, y))]",
    ),
    Call(
        "{} holds how images are drawn, and no data; type",
        "DataModule.load_from_checkpoint('x.ckpt')",
        "(lambda path, source: source)('', {})",
        pick=r"or (source=.+)$",
    ),
    # fields back to series
    Call(
        INVERSE_TYPE,
        "dual_gaf_inverse(ints[0], 1.0 * ints[1])",
        "[gasf := ints[0], dual_gaf_inverse({}, 1.0 * ints[1])]",
        pick=r"type (gasf\..+) if these",
    ),
    Call(
        INVERSE_TYPE,
        "dual_gaf_inverse(1.0 * ints[0], ints[1])",
        "[gadf := ints[1], dual_gaf_inverse(1.0 * ints[0], {})]",
        pick=r"type (gadf\..+) if these",
    ),
    Call(
        "{} has shape {}; needed: (..., S, S), square images with S of 2 and more",
        "dual_gaf_inverse(x, x)",
        "dual_gaf_inverse({})",
        pick=r"type (.+) for what",
    ),
    Call(
        "layout='packed' has both fields in the first array; type",
        "dual_gaf_inverse(packed, packed, layout='packed')",
        "{}",
    ),
    Call(
        "{}: {} is not {}; a GASF is symmetric, a GADF antisymmetric; type",
        "dual_gaf_inverse(fields[:, 1], fields[:, 0])",
        "[gasf := fields[:, 0], gadf := fields[:, 1], {}]",
        pick=r"type (.+), in this order",
    ),
    Call(
        "{}: {} is not {}; a GASF is symmetric, a GADF antisymmetric; type",
        "dual_gaf_inverse(packed_up, feature_range=(0, 1))",
        "dual_gaf_inverse(packed_up, feature_range=(0, 1), {})",
        pick=r"or (layout='packed')",
    ),
    Call(
        "of -x are equal; give the GADF, dual_gaf_inverse(gasf, gadf), or draw with",
        "dual_gaf_inverse(packed)",
        "dual_gaf_inverse(packed, {})",
    ),
    # one field, as pyts has it
    *(
        Call(NO_VALUE, f"pyts({x})", f"[X := {x}, pyts({{}})]")
        for x in ("flat_hole", "flat_hole.tolist()", "flat_hole.astype(object)", "flat_mask")
    ),
    Call(
        "has values whose sum overflows; type",
        "pyts(flat.clip(-1, 1) * 1.7e308)",
        "[X := flat.clip(-1, 1) * 1.7e308, pyts({})]",
        pick=r"type (.+), which",
    ),
    Call(
        "leaves [-1, 1], which sample_range=None does not allow; type",
        "pyts(9 * flat, sample_range=None)",
        "pyts(9 * flat, {})",
    ),
    Call("X is sparse; needed: (N, T) numbers; type", "pyts(sparse)", "[X := sparse, pyts({})]"),
    Call(
        "X is complex; allowed: real numbers; type",
        "pyts((1j * flat).tolist())",
        "[X := (1j * flat + flat).tolist(), pyts({})]",
        pick=r"(np\.\w+\(X\))",
    ),
    Call(NO_NUMBER, "pyts(dated)", "[X := dated, pyts({})]"),
    *(
        Call(
            "for seconds type {} / {}",
            f"pyts({x})",
            f"[X := {x}, pyts({{}})]",
        )
        for x in ("days[:, 0]", "[*days[:, 0]]", "days[:, 0] - days.min()")
    ),
    Call(NO_NUMBER, "pyts(rowed)", "[X := rowed, pyts({})]"),
    Call(NO_NUMBER, "pyts(headed)", "[X := headed, pyts({})]"),
    *(
        Call(SHAPE, f"pyts({x})", f"[X := {x}, pyts({{}})]", pick=r"type (.+) for one series")
        for x in ("flat[0]", "flat[0].tolist()")
    ),
    Call(SHAPE, "pyts(x)", "[X := x, channel := 1, pyts({})]", pick=r"type (X\[:, channel\]), or"),
    Call(SHAPE, "pyts(x)", "[X := x, {}]", pick=r"or (.+) for all channels"),
    # tables in memory
    Call(
        "has no column of classes (fault, label, class or target)",
        "tabular(rows.rename({'fault': 'state'}))",
        "tabular(rows.rename({'fault': 'state'}), {}'state')",
        pick=r"type (label_column=)NAME",
    ),
    Call(
        "fault_log is a {}; allowed: {}; type fault_log=None",
        "tabular(rows, fault_log='faults.csv')",
        "tabular(rows, {})",
    ),
    # collections
    *(
        Call(GAPS, f"fit({x})", f"[X := {x}, fit({{}})]")
        for x in ("collection", "uneven", "nested_hole", "panel_hole")
    ),
    Call(
        MASKED,
        "fit(mask)",
        "[X := mask, X := {}, fit(X[np.isfinite(X).all(axis=(1, 2))])]",
        pick=r"type (.+) and leave",
    ),
    Call(
        MASKED,
        "fit([*mask])",
        "[X := [*mask], X := np.stack({}), fit(X[np.isfinite(X).all(axis=(1, 2))])]",
        pick=r"type (.+) and leave",
    ),
    Call(
        "X has an index of {} levels; needed: two, series and time",
        "fit(deep)",
        "[X := deep, fit({})]",
        pick=r"the last type (.+)$",
    ),
]


@pytest.mark.parametrize("row", CALLS, ids=lambda row: row.first[:60])
def test_what_a_call_advises_is_typed_and_works(row):
    message = outcome(row.first, NAMES)
    assert message is not None
    assert says(row.says, message), message
    found = words_of(row, message)
    assert found, message
    for words in found:
        assert outcome(row.then.replace("{}", words), NAMES) is None, (message, words)


ELSEWHERE = {
    "needs the folder of a run; typed in tests/report/test_pages.py": (
        "is not the folder of a run that is done: there is no {}; type python -m dualgaf report",
        "cannot be read ({}), so the run is not known; type python -m dualgaf train {}",
        "the page of %s could not be written: %s; to make it again type %s",
        "and this run was short. To draw all of it type {}",
    ),
    "needs ranks, or a run that goes on; tests/training/test_counting.py and test_resume.py": (
        "fewer than there are ranks ({}): some are counted twice; evaluate in one process: type",
        "log metrics of torchmetrics, or evaluate in one process: type Trainer(devices=1)",
        "so it is not the one that was not interrupted; type trainer.max_epochs=N",
    ),
    "needs ranks that srun or torchrun has started; tests/training/test_cluster.py": (
        "trainer=cluster takes its nodes and devices from SLURM or torchrun, and neither has",
        "has started {} ranks on {} nodes, and a training has as many on each; type srun",
        "and srun has not started this program; type srun before the command",
        "and Lightning asks for their number on a node; type srun --ntasks-per-node={}",
        "has started {} processes, and this training has {}: trainer.num_nodes={} trainer.devices",
        "torchrun has started ranks that cannot agree on a folder before they meet; type",
    ),
    "needs the launcher of a sweep, or a worker of one; tests/training/test_launcher.py": (
        "starts the jobs of a sweep, and this is one run; type -m {}, which makes it",
        "{} needs {}, which is not installed; type pip install",
        "and this process is a worker of another program, which does not say by which command",
        "%s; for a node for each type '+hydra.launcher.additional_parameters={exclusive: true}'",
        "{}; type launcher=basic",
    ),
    "needs a training whose loss is not logged; tests/models/test_optimization.py": (
        "which this epoch has not logged; type classifier.schedule=cosine",
    ),
    "needs what a back end keeps, or lacks; tests/training/test_loggers.py": (
        "of MLflow was deleted; type {}={}-2, or restore it",
        "logger={} cannot be used: {}; type {}, or leave {} out of logger=...",
        "logger={} needs {}, which is not installed; type pip install",
        "logger.wandb.log_model={} sends checkpoints, and {}={} sends nothing; type {}=online",
        "wandb has sent nothing; to send it type wandb sync",
    ),
    "of a search, not of train.py; typed in tests/search": (
        "study={} lies where no file can be locked ({}); type study= with a file in another folder",
        "study={} is no journal of a study, and stays as it is; for a new study type {}",
        "study={} is damaged: a line cannot be read ({}); it stays as it is; for a new study type",
        "search={} cannot be read: {}; type search=default",
        "search={} has no keys; type search=default",
        "there is no {}; allowed: {}, and options of train.py; type {}",
        "trainer.{}={}: each trial is trained on one device, and the same command may be started",
        "which study? its file is made where it is not there; type study=search",
        "nothing is left to be searched: all keys of the search are typed; leave one out, or type",
        "search.{} cannot be searched: {}; type '~search.{}'",
        "to go on with it type {}; ",
        "for a new study type {}",
        "a search is judged by the val split, and there is none; type data.split.val_fraction=0.2",
        "so there is no best; for further trials type n_trials={}",
        "{}: a training searches nothing; type python -m dualgaf tune study=search {}",
        "{}; type {}",
        "; type ",
    ),
    "needs several machines; typed in tests/data/test_shard.py": (
        "training windows out to {} machines, and each needs one; type datamodule.shard=none",
        "and trainer.devices={}; type their true numbers, or datamodule.shard=none",
    ),
    "needs an environment without optuna; tests/search/test_options.py": (
        "a search needs optuna, which is not installed; type pip install",
    ),
    "needs a database; typed in tests/series/tables/test_sql.py and test_postgresql.py": (
        "column {} is {}, which is no number, time or text that can be compared; in the query",
        "and a database is only read; allowed: one SELECT, also after WITH, or a file FILE.sql",
        "{} is a file of SQLite; type data.uri=sqlite:///{}",
        "the text is no UTF-8; in the query write hex({}) AS {}, or type {}",
        "data.uri is no text; allowed: {}; type data.uri=URI",
        "there is no file {} in this folder (three slashes), and there is {}; type data.uri={}",
        "there is no file {}; type data.uri={}:///FILE",
        "data.uri={} is a path; allowed: {}; type data.uri={}:///{}",
        "a file comes after three slashes; type data.uri={}:///{}",
        "data.uri {}; allowed: {}; type data.uri=URI",
        "data.query is empty; type ",
        "there is no file {}; type data.query=FILE.sql",
        "and its rows have no order of their own; it has: {}; type data.time_column=NAME, or",
    ),
    "needs a run on a database; typed in tests/training/test_sql_run.py": (
        "a database needs a query that says what is read; type ",
        "a URI with a password is not taken from the command line or a file of options",
        "the environment has no {}, which is looked up; type export {}=...",
    ),
    "needs an environment without its driver; tests/series/tables/test_sql.py": (
        "{} is read by {}, which is not installed; type pip install",
    ),
    "needs an environment without fastexcel; tests/series/tables/test_sheets.py": (
        "is a workbook, which fastexcel reads, and that is not installed; type pip install",
    ),
    "is for the user to look up; tests/series/tables/test_dialect_times.py": (
        "and {} never has that; type the zone of the plant",
    ),
    "what a machine refuses; tests/faults, tests/store and tests/plan inject it": (
        "type a smaller --n-windows",
        "if it is memory or processes, type parallel.n_jobs=1",
        "memory was refused beside the store: {}; type",
        "for one copy type parallel.shm=true",
        "is not served, {}: {}; make /dev/shm larger",
        "the windows are not kept for later runs",
        "which compiles the kernels, cannot be imported",
        "more than there is; type a smaller batch_size",
        "and even images=on_device needs {} for a batch",
        "leaves this process {}, and drawing needs",
        "is refused, {} takes over",
        "To see it happen in this process, type parallel.enabled=false",
        "allow memfd_create in the container's seccomp profile",
        "cannot be given to loader workers",
        "images that others put there are not used",
        "is open to others (mode {})",
        "the images are not kept for later runs",
        "as num_workers > 0 with spawn or forkserver needs",
        "memory became short while building",
    ),
    "why a plan is as it is, which is no error; tests/plan": (
        "images=auto: drawing per batch takes no longer",
        "so the images are drawn per batch on the device; to choose otherwise",
        "so packed images, half the bytes and lossless, go to a disk file",
        "so the layout is packed, half the bytes and lossless; to choose",
    ),
    "needs a checkpoint; tests/training/test_run.py, tests/cli, tests/inference": (
        "val/acc would tell nothing; type ckpt_path=RUN/checkpoints/validated.ckpt",
        "and a training that is resumed keeps it",
        "is not a checkpoint of DualGAFClassifier",
        "the checkpoint has learned another training split",
        "the checkpoint was trained with {}, the data have {}",
        "the extractor of the checkpoint is {}",
        "needs a trained model; type ckpt_path",
        "ckpt_path={} is not a file; type ",
        "--output {} is no program of torch",
        "windows are no float64",
        "{}; write it another way in an extractor of your own",
        "would not give what the network gives",
    ),
    "is typed in tests/cli/test_export.py": (
        "--opset {} is not allowed",
        "--opset {} became {} for this network",
        "is neither a program of torch (.pt2) nor ONNX (.onnx)",
        "--opset is of .onnx, and --output is {}",
        "--output {} cannot be written",
    ),
    "exports a network; tests/inference/test_exported.py and test_onnx.py": (
        "type python -m dualgaf export RUN/checkpoints/best.ckpt --output {}",
        "; type pip install dualgaf=={}, or {}",
        'which cannot be imported: {}; type pip install "dualgaf[onnx]"',
    ),
    "needs a trained network; typed in tests/contracts/test_predict_advice.py": (
        "--min-windows {} is not allowed",
        "type x.swapaxes(1, 2)",
        "type x[:, :, :T] where it has more steps",
        "the checkpoint is of an earlier version: it holds neither the sampling step",
        "--stride {} is not allowed",
        "type data.step={} to resample them",
        "{} has rows {} apart, and the network has learned rows {} apart; type data.step={}",
        "data.stride is --stride here; type --stride N",
        "--output {} is a file; type --output {}",
        "nothing was changed; type --output {}",
    ),
    "needs a trained network; typed in tests/inference/test_stream.py": (
        "leave the row out, or type watch.restart() to begin anew",
        "as a clock on the wall shows them; type time.replace(tzinfo=None)",
        "or numbers; type np.datetime64(TEXT)",
        "; type rows.T",
        'type watch(nan="interpolate") to fill it from the rows of its window',
        'leave the window out, or type nan="interpolate" to fill holes of any length',
        "was trained with data.scale_by=plant; allowed: {}; type watch(plant={})",
    ),
    "needs a trained network; typed in tests/training/test_trust.py and test_folds.py": (
        "allowed: up to {}; type coverage={}, or train anew with more groups",
        "calibration.folds={} needs as many groups",
    ),
    "needs another version of the package; tests/inference/test_predict.py": (
        "{} was written by dualgaf {}, and this is {}, which cannot use it",
    ),
    "needs a run that was stopped or is done; tests/training/test_going_on.py goes on with them": (
        "the run in %s is done; for a longer training type %s",
        "a new run begins with the training of %s; to go on with its run in its own folder",
        "to go on with the run of a checkpoint, in its folder, type resume=RUN",
        "so the run in {} cannot go on; for a new one type {}",
    ),
    "are of sweeps; typed in tests/training/test_skipping.py": (
        "skip_finished=true looks for jobs in the folder of a sweep, and none is named",
        "skip_finished=true is for the jobs of a sweep; type -m skip_finished=true",
        "the run in {} is done by other code than this",
    ),
    "of `compare`; typed in tests/training/comparison": (
        "which sets? type experiment=natops,basic_motions, or data=... as for train.py",
        "{} cannot be read: {}; type key=value",
        "{} is that of one run; type {}=FOLDER",
        "there is no {}; allowed: {}, and keys of train.py; type {}={}",
        "there is no test split, so nothing can be compared",
        "another process is at work on the comparison in {}; wait for its end",
        "{} holds no comparison, for there is no {}; type experiment=natops,basic_motions {}",
        "to go on type python -m dualgaf compare {}",
        "needs aeon, which is not installed; type pip install",
        "the picture of ranks is drawn by aeon; type pip install",
        "for one by the new code alone type the same command again",
    ),
    "is typed in tests/faults/test_stops.py, which stops runs and fills disks": (
        "; to go on type {}",
        "earlier checkpoints are whole; make room, then go on from them: type {}",
    ),
    "trains; typed in tests/training/test_estimators.py": (
        "this {} is not fitted; type {}().fit(X, y).save({})",
    ),
    "is typed in tests/plan/test_training.py": (
        "{} ({}), of {}: it may be more than there is; type {}",
        "promises {}, and this run takes about {}: {} are in use, training takes {} ({}); type {}",
    ),
    "needs two machines that share no folder": (
        "is not the same folder for both; type hydra.run.dir=...",
    ),
    "in tests/training/test_trainer.py and test_run.py, which train": (
        "there is no window to measure on",
        "type logger=csv, or ~logger for none",
        "type +callbacks.NAME._target_=PACKAGE.CLASS",
        "is logged nowhere; there are",
        "the Trainer refuses what trainer.* and callbacks.* say",
        "callbacks=swa needs to know the number of steps",
        "the MiniRocket branch and the forest do not count",
        "task=build has nothing to build",
    ),
    "below, in a test of its own": (
        "task=predict reads the data of the training",
        "(R writes row names so); type",
        "{} cannot be read by Hydra; type {}",
        "{} is not the folder of a run: there is no {}; type {}, with the folder",
        "holds files of a run whose options are not known ({}); nothing was changed; type {}",
        "holds a run with other options ({}), and files of two runs are not mixed",
        "another process is at work on the run in {}; wait for its end, or type {}",
        "{} holds another sweep ({}), and files of two are not mixed",
    ),
    "other commands; tests/cli, tests/benchmarks": (
        "{} is not known; allowed: {}; type {}",
        "is a benchmark of the repository; in a clone of it type",
        "is not JSON; type --output build.json",
        "are damaged; type cache.verify=full",
        "type python train.py --cfg job to see every key",
    ),
    "a package that is installed here, or is not; tests/models, tests/series/test_archive.py, "
    "tests/training/test_estimators.py": (
        "is a backbone of timm, which is not installed",
        "timm has no model_name={}",
        "sets of the UCR/UEA archive need aeon",
        "dualgaf.aeon needs aeon 1.0 or later",
        "dualgaf.sklearn needs scikit-learn 1.6 or later",
        "is a regression problem (its header has no classLabel true)",
    ),
    "guards of inner functions: a row above comes first; tests of their modules": (
        "scaling=train needs training windows and there are none",
        "window_size={} is too small; allowed: 2 and more",
        "is longer than every segment",
        "parallel.backend=process cannot fill private memory; type parallel.shm=true",
        "is measured by dualgaf.plan.make_plan",
        "a frame whose columns are no plain columns of numbers",
        "the names of the signals are not known; pass channel_names",
        "in YAML type _partial_: true beside _target_",
        "allowed: dates, texts, numbers; type data.time_column=NAME",
    ),
    "the word of another sense: the type of an array": (
        "out has shape {} and type {}",
        "series {} has shape {} and type {}",
        "needed: a field as dual_gaf draws it, in the type in which it is stored",
    ),
}
"""Messages without a row, by the reason."""


def test_every_message_with_advice_has_a_row():
    rows = [row.says for row in (*COMMANDS, *NOTES, *CALLS)]
    named = [*rows, *(text for texts in ELSEWHERE.values() for text in texts)]
    found = list(templates())
    without = [
        f"{where}: {text}"
        for where, text in found
        if not any(name == text or (len(name) > 12 and name in text) for name in named)
    ]
    assert not without, "\n".join(without)
    gone = [n for n in named if not any(n == text or n in text for _, text in found)]
    assert not gone


def test_a_row_is_not_also_elsewhere():
    rows = {row.says for row in (*COMMANDS, *NOTES, *CALLS)}
    assert not rows & {text for texts in ELSEWHERE.values() for text in texts}


def test_a_header_that_r_has_written_gets_the_name_of_the_message(tmp_path):
    lines = plant("{n},{time},{temp},{label}", "time,temp,fault").splitlines()
    (tmp_path / "a.csv").write_text("\n".join(lines))
    message = refused(dualgaf.TableSource(tmp_path, window_size=12).load)
    (header,) = re.findall(r"type a name for it in front of the header: (\S+);", message)
    (column,) = re.findall(r"left out by data\.exclude=\[(\w+)\]$", message)
    (tmp_path / "a.csv").write_text("\n".join([header, *lines[1:]]))
    found = dualgaf.TableSource(tmp_path, window_size=12, exclude=[column]).load()
    assert found.channel_names == ("temp",)


def left_by(folder, mode, *task):
    """What Hydra leaves in a folder of a run or a sweep."""
    stored = {
        "overrides": {"task": [*task], "hydra": [f"hydra.mode={mode}"]},
        "runtime": {"config_sources": []},
        "job": {"config_name": "train"},
    }
    path = folder / (".hydra/hydra.yaml" if mode == "RUN" else "multirun.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create({"hydra": stored}), path)


def refused(call, *given):
    with pytest.raises(DualGAFError) as caught:
        call(*given)
    return str(caught.value)


@pytest.mark.parametrize("name", ["run", "my run [1]"])
def test_the_folder_of_a_run_is_typed_as_the_message_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left_by(Path(name), "RUN", "seed=3")
    checkpoint = refused(in_full, [f'resume="{name}/checkpoints/last.ckpt"'])
    given = ["is not the folder of a run", checkpoint]
    if name != "run":
        given += ["cannot be read by Hydra", refused(in_full, [f"resume={name}"])]
    for part, message in zip(given[::2], given[1::2], strict=True):
        assert part in message
        words = shlex.split(re.search(r"type (.+?)(, with the folder|$)", message)[1])
        assert in_full(words)[0] == "seed=3"
        assert in_full(words)[1:] == in_full([f'resume="{name}"'])[1:]


def test_two_ways_out_of_the_folder_of_another_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    typed, folder = ["data=simulated", "seed=3"], Path("run")
    own, other = load_config(typed), load_config(["data=simulated", "seed=1"])
    left_by(folder, "RUN", *typed)
    messages = []
    with run_folder.entered(own, folder):
        messages.append(refused(lambda: run_folder.entered(own, folder).__enter__()))
        (folder / "metrics.json").write_text("{}")
    messages.append(refused(run_folder.check_folder, other, folder))
    assert "at work" in messages[0]
    (words,) = re.findall(r"type python train\.py (.+?); for", messages[1])
    again = [word for word in in_full(shlex.split(words)) if not word.startswith("hydra.")]
    assert run_folder.check_folder(load_config(again), folder)
    (folder / run_folder.RECORD).unlink()
    messages.append(refused(run_folder.check_folder, own, folder))
    for message in messages:
        (free,) = re.findall(r"type hydra\.run\.dir=(\S+)$", message)
        assert not run_folder.check_folder(other, Path(free))
        with run_folder.entered(other, Path(free)):
            assert (Path(free) / run_folder.RECORD).is_file()


def test_two_ways_out_of_the_folder_of_another_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    folder, other = Path("sweep"), Path("other")
    left_by(folder, "MULTIRUN", "seed=0,1")
    left_by(other, "MULTIRUN", "seed=0,2")
    (folder / "0").mkdir()
    (folder / "0" / "metrics.json").write_text("{}")
    here = OmegaConf.load(other / "multirun.yaml")
    message = refused(run_folder._check_sweep, here, folder)
    (words,) = re.findall(r"type python train\.py (.+?); for", message)
    assert in_full(shlex.split(words)) == ["-m", "seed=0,1", "hydra.sweep.dir=sweep", words]
    run_folder._check_sweep(OmegaConf.load(folder / "multirun.yaml"), folder)
    (free,) = re.findall(r"type hydra\.sweep\.dir=(\S+)$", message)
    run_folder._check_sweep(here, Path(free))
    assert not Path(free).exists()


def test_new_files_are_predicted_as_the_message_says(tmp_path):
    plant_folder, new, run = tmp_path / "plant", tmp_path / "new", tmp_path / "run"
    for folder in (plant_folder, new):
        folder.mkdir()
    (plant_folder / "a.csv").write_text(PLANT)
    (new / "new.csv").write_text(NO_LABEL.replace("2020", "2022"))
    small = [
        "data=ahu",
        "data.window_size=12",
        "model.use_minirocket=false",
        "model.use_forest=false",
        "report=false",
        "model.width=8",
    ]
    small += ["datamodule.image_size=4", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    small += ["logger=csv", "refit=false"]

    def started(data, into, *words):
        cfg = load_config([*small, f"data.root={data}", *words])
        cfg.paths.run_dir = str(tmp_path / into)
        train(cfg)

    started(plant_folder, "run")
    source = dualgaf.TableSource(plant_folder, window_size=12)
    loaded = dualgaf.DualGAFDataModule.load_from_checkpoint(
        run / "checkpoints" / "best.ckpt", source=source
    )
    assert (loaded.image_size, loaded.class_names) == (4, ("a", "b"))
    task = ("task=predict", f"ckpt_path={run}/checkpoints/best.ckpt")
    with pytest.raises(SystemExit) as caught:
        started(new, "fails", *task)
    message = str(caught.value)
    assert "data.split" not in message
    (words,) = re.findall(r"type python -m dualgaf (predict .*)$", message)
    words = words.replace("RUN", str(run)).replace("FOLDER", str(new))
    assert main([*words.split(), "--output", str(tmp_path / "predicted")]) == 0
    rows = pl.read_csv(tmp_path / "predicted" / "predictions.csv")
    assert rows.height == 16
    assert set(rows["predicted"]) <= {"a", "b"}
    # Windows without a label in the data of the run are judged by the run, too.
    (plant_folder / "new.csv").write_text(plant("{time},{temp},{flow},").replace("2020", "2022"))
    started(plant_folder, "again", *task, "data.unlabelled=predict")
    again = pl.read_csv(tmp_path / "again" / "predictions.csv")
    assert again.columns == rows.columns
    assert again["start"].to_list() == rows["start"].to_list()
    scores = ("p_a", "p_b")
    assert again[scores].to_numpy() == pytest.approx(rows[scores].to_numpy(), abs=2e-6)
    assert again["unlike"].to_list() == rows["unlike"].to_list()
    assert (tmp_path / "again" / "events.csv").read_text().count("\n") > 1
    assert (tmp_path / "again" / "predictions.png").is_file()
