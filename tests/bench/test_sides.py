"""A side that could not be what it is called says so instead of a time."""

from dataclasses import replace

import pytest

from dualgaf.bench import sides
from dualgaf.bench.runner import random_windows
from dualgaf.bench.sides import Job, our_side
from dualgaf.errors import BudgetError, DualGAFError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool.settings import PoolSettings

JOB = Job(random_windows(12, 2, 16), ImagingRecipe(image_size=16))
THREADS = PoolSettings(backend="thread", n_jobs=1, shm=False)


def test_images_that_would_go_elsewhere_are_refused(monkeypatch):
    plan = JOB.plan(THREADS)
    monkeypatch.setattr(sides, "make_plan", lambda *given: replace(plan, place="file"))
    with pytest.raises(BudgetError, match=r"the images take .* type a smaller --n-windows"):
        our_side("threads", JOB, THREADS)


def test_a_build_that_became_another_one_gives_no_time(monkeypatch):
    side = our_side("threads", JOB, THREADS)
    with side.work() as figures:
        assert figures["peak_bytes"] >= 0
    build_store = sides.build_store

    def falls_back(windows, plan, pool):
        store, report = build_store(windows, plan, pool=pool)
        return store, replace(report, backend="serial")

    monkeypatch.setattr(sides, "build_store", falls_back)
    says = "threads: thread into private was planned, it became serial into private"
    with pytest.raises(DualGAFError, match=says), side.work():
        pass
