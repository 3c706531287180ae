"""More threads than CPUs while a network is trained by a program that has loaded torch itself."""

import gc
import os
import subprocess
import sys
import threading

import pytest
import torch

from dualgaf.models.idle_threads import idle_threads_asleep, release, sleep_when_idle

PROGRAM = """
import os, threading
import torch  # first, as a program of one's own has it
torch.set_num_threads(2)
import lightning as L
import numpy as np
import dualgaf
import dualgaf.training.config  # too late to say how threads wait

def threads():
    return len(os.listdir("/proc/self/task"))

class Seen(L.Callback):
    def on_train_start(self, trainer, module):
        seen.append((threads(), "dualgaf-idle" in {t.name for t in threading.enumerate()}))

torch.zeros(1 << 20).add_(1)  # the threads of this one
x, y = np.random.default_rng(0).normal(size=(8, 2, 16)), [0, 1] * 4
seen = []
data = dualgaf.DualGAFDataModule.from_arrays(train=(x, y), parallel={"backend": "serial"})
net = dualgaf.DualGAFNet(2, 2, width=8, use_minirocket=False, use_forest=False)
model = dualgaf.DualGAFClassifier(net)
trainer = L.Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                    enable_progress_bar=False, enable_model_summary=False, callbacks=[Seen()],
                    limit_val_batches=0, log_every_n_steps=1)
trainer.fit(model, datamodule=data)
for thread in threading.enumerate():
    if thread.name == "dualgaf-idle":
        thread.join(30)
left = "dualgaf-idle" in {t.name for t in threading.enumerate()}
print(*seen[0], len(os.sched_getaffinity(0)), left, os.environ.get("OMP_WAIT_POLICY"))
"""


NAMES = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "GOMP_SPINCOUNT")


def test_idle_threads_sleep_in_a_program_that_loads_torch_first():
    environment = {key: value for key, value in os.environ.items() if key not in NAMES}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    n_threads, is_held, cpus, is_left, policy = done.stdout.split()
    assert int(n_threads) > int(cpus)
    assert (is_held, is_left, policy) == ("True", "False", "None")


def test_a_program_that_loads_dualgaf_first_has_threads_that_sleep_at_once():
    environment = {key: value for key, value in os.environ.items() if key not in NAMES}
    program = "import dualgaf, os; print(os.environ['OMP_WAIT_POLICY'])"
    for told, policy in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**environment, **told},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == policy


def held():
    return [thread for thread in threading.enumerate() if thread.name == "dualgaf-idle"]


@pytest.fixture
def two_threads(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Owner:
    pass


def test_they_sleep_for_an_owner_and_are_gone_with_it(two_threads):
    owner = Owner()
    sleep_when_idle(owner)
    sleep_when_idle(owner)
    (thread,) = held()
    del owner
    gc.collect()
    thread.join(30)
    assert not held()
    with idle_threads_asleep(torch.device("cpu")):
        (thread,) = held()
    thread.join(30)
    assert not held()
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_who_has_decided_how_threads_wait_is_left_alone(two_threads, monkeypatch, name):
    monkeypatch.setenv(name, "1000")
    owner = Owner()
    sleep_when_idle(owner)
    assert not held()
    release(owner)


def test_one_thread_waits_for_nobody(two_threads):
    torch.set_num_threads(1)
    owner = Owner()
    sleep_when_idle(owner)
    assert not held()
