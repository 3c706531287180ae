"""docs/serve.py with real HTTP on loopback: many at once, one that is wrong, and its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dualgaf.inference.metadata import ABOUT

onnx = pytest.importorskip("onnx", reason='no onnx: pip install "dualgaf[onnx]"')
onnxruntime = pytest.importorskip("onnxruntime", reason='no onnxruntime: "dualgaf[onnx]"')
pytest.importorskip("litserve", reason='no litserve: pip install "dualgaf[serve]"')

SERVER = Path(__file__).resolve().parents[2] / "docs" / "serve.py"
C, T, N = 3, 5, 200


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An .onnx with the names, axes and types of an export: softmax of the means of channels."""
    made = onnx.helper
    given = made.make_tensor_value_info("windows", onnx.TensorProto.DOUBLE, ["batch", C, T])
    found = made.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["batch", C])
    nodes = [
        made.make_node("ReduceMean", ["windows", "axes"], ["means"], keepdims=0),
        made.make_node("Cast", ["means"], ["small"], to=onnx.TensorProto.FLOAT),
        made.make_node("Softmax", ["small"], ["probabilities"], axis=1),
    ]
    axes = made.make_tensor("axes", onnx.TensorProto.INT64, [1], [2])
    graph = made.make_graph(nodes, "g", [given], [found], [axes])
    opset = made.make_opsetid("", 20)
    file = made.make_model(graph, opset_imports=[opset], ir_version=10)
    entry = file.metadata_props.add()
    entry.key, entry.value = ABOUT, json.dumps({"class_names": ["a", "b", "c"]})
    path = tmp_path_factory.mktemp("serve") / "model.onnx"
    onnx.save(file, path)
    return path


def children(pid):
    """All processes that it has started, and these."""
    own = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return own + [further for each in own for further in children(each)]


def alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks at processes in /proc")
def test_each_request_gets_its_own_answer_and_sigterm_ends_all(model, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"

    def ready():
        assert server.poll() is None, (tmp_path / "log").read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def post(body):
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{address}/predict", body, head)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    x = np.random.default_rng(0).normal(size=(N, C, T))
    bodies = [json.dumps({"window": window.tolist()}).encode() for window in x]
    nan, far = x[3].copy(), x[4].copy()
    nan[0, 0], far[1] = np.nan, 1e300
    wrong = {
        2: json.dumps({"window": x[2, :, :-1].tolist()}).encode(),
        3: json.dumps({"window": nan.tolist()}).encode(),
        4: json.dumps({"window": far.tolist()}).encode(),
        5: b"",
        6: b"{",
        7: json.dumps({"window": x[7, :-1].tolist()}).encode(),
        8: json.dumps({"window": "text"}).encode(),
    }
    for k, body in wrong.items():
        bodies[k] = body
    command = [sys.executable, str(SERVER), str(model), str(port)]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    family: list[int] = []
    try:
        until(ready)
        family = [server.pid, *children(server.pid)]
        with ThreadPoolExecutor(N) as pool:
            found = list(pool.map(post, bodies))
        (wanted,) = onnxruntime.InferenceSession(model).run(None, {"windows": x})
        for k, (status, answer) in enumerate(found):
            if k in wrong:
                assert status == 422, (k, answer)
            else:
                assert status == 200, (k, answer)
                assert list(answer) == ["a", "b", "c"]
                np.testing.assert_allclose(list(answer.values()), wanted[k], atol=1e-6)
        assert "at least 5 items" in found[2][1]
        assert "too far from those of the training" in found[4][1]
        assert len(family) > 2
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) == 0
        until(lambda: not any(map(alive, family)))
        with pytest.raises(OSError, match=r"refused"):
            urllib.request.urlopen(f"{address}/health", timeout=5)
    finally:
        for pid in filter(alive, family or [server.pid]):
            os.kill(pid, signal.SIGKILL)
        server.wait()
