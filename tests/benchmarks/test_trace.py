"""The walk that benchmarks/trace.py counts: its stages by hand, and that size does not count."""

from benchmarks.trace import STAGES, Tracer, table, traced


def test_every_stage_enters_files_and_the_last_ones_are_those_of_the_network(tmp_path):
    stages = traced(tmp_path)
    rows = table(stages)
    assert [row["stage"] for row in rows] == [*STAGES, "sum"]
    assert all(row["new files"] > 0 and row["moves"] > 0 for row in rows)
    assert rows[-1]["new files"] == sum(row["new files"] for row in rows[:-1])
    named = {name.rpartition("/dualgaf/")[2] for stage in stages for name in stage.functions}
    for expected in (
        "series/tables/tabular.py:Tabular.load",
        "build.py:build_store",
        "imaging/kernel.py:render",
        "models/heads.py:MLPHead.forward",
    ):
        assert expected in named


def test_a_call_into_another_file_is_a_move_and_counts_once(tmp_path):
    for name, text in {
        "one": "def f(g):\n    g()\n    g()\n",
        "two": "def g():\n    pass\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    spaces = {}
    for name in ("one", "two"):
        path = tmp_path / f"{name}.py"
        exec(compile(path.read_text(), str(path), "exec"), spaces)
    tracer = Tracer(tmp_path)
    with tracer.stage("walk"):
        spaces["f"](spaces["g"])
    (stage,) = tracer.stages
    assert stage.new_files == 2
    assert len(stage.functions) == 2
    assert stage.moves == {(f"{tmp_path}/one.py:f", f"{tmp_path}/two.py:g")}
