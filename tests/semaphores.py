"""Whether this system has semaphores: they live in /dev/shm, and loader workers need them."""

import multiprocessing

import pytest


def _why_not() -> str:
    try:
        multiprocessing.get_context("spawn").Semaphore()
    except OSError as error:
        return str(error)
    return ""


needs_semaphores = pytest.mark.skipif(
    bool(_why_not()), reason=f"no semaphores here, which live in /dev/shm: {_why_not()}"
)
