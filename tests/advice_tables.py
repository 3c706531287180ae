"""What the messages on dialects of tables say to type, for `test_advice`."""

from advice import Command


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
LONG = plant("{time},temp,{temp},{label}\n{time},flow,{flow},{label}", "time,tag,value,fault")
LOG = "start,end,class\n" + "".join(
    f"2020-01-{day + 1:02d} 00:00,2020-01-{day + 1:02d} 23:00,{'ab'[day % 2]}\n" for day in range(8)
)
LOGGED = {"a.csv": NO_LABEL, "log.csv": LOG}
ANY = "data.split.method=stratified"


def _table(says, files, wrong="", base="", **more):
    files = {"a.csv": files} if isinstance(files, str) else files
    return Command(says, wrong, base, files=files, **more)


DIALECTS = [
    _table("resampling makes no values up; type data.step={}", PLANT, "data.step=1min"),
    _table("says which holes are filled, and data.nan=error", PLANT, "data.fill_limit=3"),
    _table(
        "data.fault_log gives the classes, and so does {}; type",
        LOGGED,
        "data.label=file",
        base="data.fault_log=log.csv",
        then={1: "has a fault in each row"},
    ),
    _table(
        "and none of that name in {}; type data.fault_log=FILE",
        LOGGED,
        "data.fault_log=no.csv",
        given={"FILE": "log.csv"},
    ),
    _table("has a fault in each row, with {}, {} and {}", LOGGED, leave=(1,)),
    _table(
        "and no column has dates; if rows are in order and evenly spaced, type",
        plant("{hour:02d}:00,{temp},{flow},{label}", "clock,temp,flow,fault"),
        base=ANY,
    ),
    _table(
        "more than one column with times of day: {}; type {}",
        plant(
            "2020-01-{day:02d},{hour:02d}:00,{hour:02d}:00,{temp},{flow},{label}",
            "Datum,von,bis,temp,flow,fault",
        ),
    ),
    _table("has several rows a time; if each is one value of one", LONG, base=ANY),
    _table("{} has no column {} ({}); it has: {}; type {}", LONG, "data.long=[time,tag,val]", ANY),
    _table(
        "have an offset or mark of their zone and those of",
        {
            "a.csv": plant("{time}Z,{temp},{flow},{label}"),
            "b.csv": plant("{time},{flow},{temp},{label}").replace("2020", "2021"),
        },
    ),
    _table(
        "which is no winter and summer time of one place; type",
        plant("{time}:00-0{day}:00,{temp},{flow},{label}"),
        base="data.window_size=4",
    ),
    _table(
        "where clocks go forward in spring; if times are those of winter",
        PLANT.replace("2020-01-0", "2021-03-2"),
        "data.time_zone=Europe/Berlin",
    ),
    _table(
        "where clocks go back in autumn, and there is no offset that tells",
        PLANT.replace("2020-01-0", "2020-10-2"),
        "data.time_zone=Europe/Berlin",
    ),
    _table(
        "needs dates, and the times are numbers; type data.time_zone=null",
        plant("{n},{temp},{flow},{label}", "step,temp,flow,fault"),
        "data.time_zone=UTC",
        base=ANY,
    ),
    _table(
        "has no year; type data.year=2024",
        plant("{day}.1. {hour}:00,{temp},{flow},{label}"),
    ),
    _table(
        "{} is {}, and no cell tells which; type {}",
        plant("202001{day:02d}{hour:02d},{temp},{flow},{label}"),
        base=ANY,
    ),
    _table(
        "; if each row is one value of one sensor, type {}",
        plant("{time},x,{temp},{label}\n{time},y,{flow},{label}", "time,unit,temp,fault"),
        base=ANY,
        leave=(1,),
    ),
    _table(
        "name the columns that tell runs apart: type {}",
        plant(
            "{time},x,{temp},{flow},{label}\n{time},y,{flow},{temp},{label}",
            "time,unit,temp,flow,fault",
        ),
        base=ANY,
        leave=(1,),
    ),
]
"""Each is typed."""

TYPED_BESIDE = (
    "cp1252 makes odd letters of it; type how it is written",
    "type data.encoding=null to have it found out",
    "have other values at the same time, {}",
    "read so, those of {} jump by months",
    "every row lies in a hole of more than {} rows; type data.fill_limit=null",
    "(data.fault_log) needs times, and the files have none",
    "needs two times to tell how long an interval is",
    "the row below the header has {} above numbers",
    "and {} never has that; type the zone of the plant",
    "{} has dates in {} and numbers in {}; type {}",
    "has more than one column of numbers that is a clock",
)
"""Those whose files are bytes, or that need a choice, are typed in tests/series/tables."""
