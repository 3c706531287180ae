"""Tables of a plant, and what messages on their dialects say to type, for `test_advice`."""

import re

from advice import Command
from energyplus_samples import SAMPLES
from workbooks import workbook


def plant(
    line="{time},{temp},{flow},{label}", head="time,temp,flow,fault", days=8, labels="abababab"
):
    """A CSV file of so many days of 24 hours, each of one class."""
    lines = [head]
    for day in range(days):
        for hour in range(24):
            found = {
                "day": day + 1,
                "hour": hour,
                "n": 24 * day + hour,
                "unix": 1577836800 + 3600 * (24 * day + hour),
                "time": f"2020-01-{day + 1:02d} {hour:02d}:00",
                "temp": (hour * (1 + day % 2) + day) % 7,
                "flow": (hour + day) % 5,
                "label": labels[day],
                "part": "train" if hour < 12 else "test",
            }
            lines.append(line.format(**found))
    return "\n".join(lines) + "\n"


PLANT = plant()
NO_LABEL = plant("{time},{temp},{flow}", "time,temp,flow")
LATER = PLANT.replace("2020-", "2021-")
STRAY = PLANT.replace("2020-01-01 03:00,3", "2020-01-01 03:00,Bad")
HOLE = PLANT.replace("2020-01-01 03:00,3", "2020-01-01 03:00,")
UMLAUT = PLANT.replace("temp", "Außen ä °C")
HALVES = plant("{time},{temp},{flow},{part}")
OFFSET = plant("2020-01-{day:02d}T{hour:02d}:00+01:00,{temp},{flow},{label}")
VALUES = "{time},temp,{temp},{label}\n{time},flow,{flow},{label}"
LOG = "start,end,class\n" + "".join(
    f"2020-01-{day:02d},2020-01-{day:02d},{'ab'[day % 2]}\n" for day in range(1, 9)
)
AUTUMN = PLANT.replace("2020-01-01", "2020-10-25")
WITHIN = "data.split.method=within data.window_size=2"


def table(says, files, wrong="", base="", **more):
    """A folder of tables; a text is the file a.csv."""
    files = {"a.csv": files} if isinstance(files, str) else files
    return Command(says, wrong, base, files=files, **more)


def book(**sheets):
    """A workbook whose cells are those of CSV files."""
    return workbook({n: [line.split(",") for line in t.splitlines()] for n, t in sheets.items()})


PLANTS = plant("{time},{temp},{flow},{label},{n}", "time,temp,flow,fault,n").splitlines()
PLANTS = "\n".join(
    [
        "site,time,temp,flow,fault",
        *(
            f"{s},{line.rpartition(',')[0]}"
            for line in PLANTS[1:]
            for s in ("north", "south", "west")
        ),
    ]
)

MIXED = SAMPLES / "mixed"
RUN = (MIXED / "eplusout.csv").read_text()
EIO = (MIXED / "eplusout.eio").read_text()
RUNS = {
    "normal/eplusout.csv": RUN,
    "normal/eplusout.eio": EIO,
    **{
        f"filter/eplusout.{end}": text
        for end, text in (("csv", RUN.replace(",2", ",3")), ("eio", EIO))
    },
}
LEAP = {
    f"{name}/eplusout.{end}": (SAMPLES / "leap" / f"eplusout.{end}").read_text().replace("1.", text)
    for name, text in (("normal", "1."), ("filter", "4."))
    for end in ("csv", "eio")
}
ENERGYPLUS = [
    table(
        "type data.mixed_steps=hold to give each row the value of the interval that it lies in",
        RUNS,
        base=f"data=energyplus {WITHIN}",
        whole=True,
    ),
    table(
        "data.year={} has no 29 February, and a run has; type data.year=null",
        LEAP,
        "data.year=2023",
        base=f"data=energyplus {WITHIN}",
        whole=True,
    ),
    table(
        "for other tables type data=ahu data.root={}",
        PLANT,
        base=f"data=energyplus {WITHIN}",
        whole=True,
    ),
    table(
        "is none of EnergyPlus; leave it out, or type data=ahu for a table of a plant",
        {"a.csv": PLANT.replace("time,temp", "Date/Time,A:T [C](TimeStep)", 1)},
        base=f"data=energyplus {WITHIN}",
        whole=True,
    ),
    table(
        "then type data.root=FOLDER",
        {"eplusout.eso": "", **{f"../b/{name}": text for name, text in RUNS.items()}},
        base=f"data=energyplus data.mixed_steps=hold {WITHIN}",
        given={"FOLDER": "{folder}/../b"},
        whole=True,
    ),
]

DIALECTS = [
    *ENERGYPLUS,
    table(
        "has a decimal point, and data.decimal=comma; type data.decimal=auto",
        PLANT.replace(",3,", ",3.5,"),
        "data.decimal=comma",
    ),
    table(
        "is no UTF-16, and data.encoding={}; type data.encoding=utf-8 or data.encoding=null",
        PLANT,
        "data.encoding=utf-16",
    ),
    table(
        "cuts no line, and {} cuts them into {} cells; type data.separator={}",
        PLANT,
        "data.separator=tab",
    ),
    table(
        "so it cannot say which plant a row is of (data.plant_column); type data.plant_column=NAME",
        PLANTS,
        "data.plant_column=fault",
        base="data.group_columns=[site]",
        given={"NAME": "site"},
    ),
    table(
        "has no table, and its folders have {} and so on; type {} data.label=folder",
        {"good/a.csv": NO_LABEL, "bad/b.csv": NO_LABEL.replace("2020-", "2021-")},
    ),
    table(
        "data.scale_by=plant, and no column says which plant a row is of; type",
        PLANTS,
        base=f"data.scale_by=plant data.group_columns=[site] {WITHIN}",
        given={"NAME": "site"},
    ),
    table(
        "leaves plants out, and {} does not say which plant a series is of; type",
        PLANTS,
        base="data.split.method=plant data.group_columns=[site]",
        given={"NAME": "site"},
    ),
    table(
        "scale it by; type data.scale_by=all, or data.split.method=within for rows of each plant",
        PLANTS,
        base="data.scale_by=plant data.plant_column=site data.split.method=plant "
        "data.window_size=2",
    ),
    table(
        "{} has no sheet {} (data.sheet); it has: {}; type {}",
        {"a.xlsx": book(north=PLANT)},
        "data.sheet=south",
    ),
    table(
        "{} has more than one sheet with a table: {}; type {}",
        {"a.xlsx": book(**{"north": PLANT, "2024": LATER})},
    ),
    table(
        "data.sheet={}, and no file of {} is a workbook ({}); type data.sheet=null",
        PLANT,
        "data.sheet=north",
    ),
    table(
        "has {} rows; data.header_line={} is beyond its end; type data.header_line=1",
        {"a.xlsx": book(north=PLANT)},
        "data.header_line=999",
    ),
    table(
        "choose files of one kind with data.pattern=..., or type data.time_format={}",
        {
            "a.csv": plant(
                "{day:02d}/03/2020 {hour:02d}:00,{temp},{flow},{label}", labels="abab" * 2
            ),
            "b.csv": plant("{day}/25/2020 {hour:02d}:00,{temp},{flow},a", days=1),
        },
    ),
    table(
        "{} is {}, and no cell tells which; type {}",
        plant("202001{day:02d}{hour:02d},{temp},{flow},{label}"),
        base=WITHIN,
    ),
    table(
        "if they are a class of their own (often the normal one), type",
        {"a.csv": NO_LABEL, "log.csv": LOG.rpartition("2020-01-07")[0] + "\n"},
        base="data.fault_log=log.csv",
    ),
    table(
        "has no year; type data.year=2024",
        plant("01/1{day} {hour:02d}:00,{temp},{flow},{label}", "Date/Time,temp,flow,fault"),
    ),
    table(
        "{} has no column {} ({}); it has: {}; type {}",
        plant(VALUES, "time,tag,value,fault"),
        "data.long=[time,tag,val]",
    ),
    table(
        "if they are two plants or runs, type data.same_time=keep",
        {
            "a.csv": plant(days=5),
            "b.csv": re.sub(r"2020-01-0[123].*\n", "", PLANT).replace(":00,", ":00,1"),
        },
    ),
    table(
        "makes odd letters of it; type how it is written: data.encoding=cp850",
        {"a.csv": UMLAUT.encode("cp850")},
    ),
    table("makes other letters of it; type data.encoding=utf-8", UMLAUT, "data.encoding=cp1252"),
    table(
        "type data.encoding=null to have it found out, or data.encoding=cp1252",
        {"a.csv": UMLAUT.encode("cp1252")},
        "data.encoding=utf-8",
    ),
    table(
        "there is no file {}, and none of that name in {}; type data.fault_log=FILE",
        {"a.csv": NO_LABEL, "log.csv": LOG},
        "data.fault_log=no.csv",
        given={"FILE": "log.csv"},
    ),
    table(
        "has no table beside its fault log; type data.root=FOLDER",
        {"log.csv": LOG, "plant/a.csv": NO_LABEL, "plant/log.csv": LOG},
        base="data.fault_log=log.csv",
        given={"FOLDER": "{folder}/plant"},
    ),
    table(
        "{} (data.fault_log) needs times, and the files have none; type data.time_column=NAME",
        {"a.csv": NO_LABEL, "log.csv": LOG},
        "data.time_column=null",
        base="data.fault_log=log.csv",
        given={"NAME": "time"},
    ),
    table(
        "data.fault_log gives the classes, and so does {}; type {}, or data.fault_log=null",
        {"a.csv": PLANT, "log.csv": LOG},
        base="data.fault_log=log.csv data.label_column=fault data.pattern=a.csv",
    ),
    table(
        "has several rows a time; if each is one value of one sensor, type",
        plant(VALUES, "time,tag,value,fault"),
        base=WITHIN,
    ),
    table(
        "data.stamps=end needs two times to tell how long an interval is",
        {"a.csv": PLANT, "b.csv": plant(days=1).rpartition("2020-01-01 01:00")[0][:-1]},
        "data.stamps=end",
        base="data.pattern=*.csv",
    ),
    table("data.step={} does not fit: it {}{}; type data.step={}", PLANT, "data.step=5"),
    table(
        "is left: the class changes in every step of data.step={}; type data.step=null",
        HALVES,
        "data.step=24h",
        WITHIN,
    ),
    table(
        "data.step={} does not fit: it {}{}; type data.step={}",
        plant("{unix},{temp},{flow},{label}", "step,temp,flow,fault").replace("15778", "8"),
        "data.step=5min",
        base=WITHIN,
    ),
    table(
        "does not divide a day, and days are divided into steps; type data.step={}",
        PLANT,
        "data.step=7h",
        base="data.window_size=2",
    ),
    table(
        "resampling makes no values up; type data.step={}",
        PLANT,
        "data.step=15min",
    ),
    table(
        "so equal windows would be unequal times; choose files of one step",
        {"a.csv": PLANT, "b.csv": re.sub(r"2021-\d\d-\d\d \d[13579]:.*\n", "", LATER)},
        base="data.window_size=4",
    ),
    table(
        "these are the names of the columns, type data.header_line=2",
        f"plant,north,x,y\n{PLANT}",
        then={1: "allowed: finite numbers"},
    ),
    table(
        "these are the names of the columns, type data.header_line=2",
        "temp,flow,fault\noff,off,a\n" + plant("{temp},{flow},{label}", "x").partition("\n")[2],
        base=f"{WITHIN} data.nan=interpolate",
        leave=(0,),
    ),
    table(
        "{}: data.time_zone={} needs dates, and the times are numbers; type",
        plant("{n},{temp},{flow},{label}"),
        "data.time_zone=Europe/Berlin",
        base=WITHIN,
    ),
    table(
        "have none; type the zone of the plant: data.time_zone=Europe/Berlin",
        {"a.csv": OFFSET, "b.csv": LATER},
    ),
    table(
        "summer time of one place; type the zone of the plant: data.time_zone=Europe/Berlin",
        {"a.csv": OFFSET, "b.csv": OFFSET.replace("2020-", "2021-").replace("+01", "+05")},
    ),
    table(
        "where clocks go forward in spring; if times are those of winter all year, type",
        PLANT.replace("2020-01-01", "2020-03-29"),
        "data.time_zone=Europe/Berlin",
    ),
    table(
        "or in UTC; if they are those of winter all year, type data.time_zone=null",
        AUTUMN,
        "data.time_zone=Europe/Berlin",
    ),
    table(
        "far from all others: {}; if they mean missing, type {}",
        re.sub(r"( 0[37]:00),\d", r"\1,-9999", PLANT),
        base="data.nan=interpolate",
        leave=(1,),
    ),
    table(
        "{}: every row lies in a hole of more than {} rows; type data.fill_limit=null",
        re.sub(r"(\d[13579]:00,\d,)\d", r"\1", re.sub(r"(\d[02468]:00,)\d", r"\1", PLANT)),
        "data.fill_limit=0",
        base="data.nan=interpolate",
    ),
    table(
        "data.nan=error fills none; type data.nan=interpolate or data.fill_limit=null",
        PLANT,
        base="data.fill_limit=3",
    ),
    table(
        "{} has dates in {} and numbers in {}; type {} {} if the first is the time",
        plant("{time},{n},{temp},{flow},{label}", "Date,Time,temp,flow,fault"),
        base=WITHIN,
    ),
    table(
        "{} has dates in {} and more than one column with times of day: {}; type {}",
        plant(
            "{day:02d}.01.2020,{hour:02d}:00,{hour:02d}:30,{temp},{flow},{label}",
            "Datum,von,bis,temp,flow,fault",
        ),
    ),
    table(
        "{} has more than one column of numbers that is a clock: {}; type {} {}",
        plant("{unix},{unix},{temp},{flow},{label}", "t1,t2,temp,flow,fault"),
    ),
    table(
        "if rows are in order and evenly spaced, type data.time_column=null {}",
        plant("{hour:02d}:00,{temp},{flow},{label}", "Uhrzeit,temp,flow,fault"),
        base=WITHIN,
    ),
    table(
        "has a fault in each row, with {}, {} and {}",
        {"a.csv": NO_LABEL, "log.csv": LOG},
        leave=(1,),
    ),
]
"""Each ends in an error."""

NOTES = [
    table(
        "series end at midnight, a group is a day of a {} ({} of them); to have others, type",
        PLANT,
        given={"NAME": "fault"},
        base=WITHIN,
    ),
    table(
        "; if column {} has them, type {}",
        {
            "a.csv": PLANT.replace("fault", "plant state"),
            "b.csv": LATER.replace("fault", "plant state"),
        },
    ),
]
"""Each is read, with a note."""
