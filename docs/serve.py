"""Serves an exported network over HTTP, in batches: python docs/serve.py model.onnx 8000.

Needs `pip install "dualgaf[onnx,serve]"` where the file is made, and onnxruntime and litserve alone
where it is served. POST {"window": [[...], ...]}, a row of T numbers a channel, to /predict.
"""

import json
import os
import signal
import sys
from typing import Annotated, Any

import litserve
import numpy as np
import onnxruntime
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

model = onnxruntime.InferenceSession(sys.argv[1])
names = json.loads(model.get_modelmeta().custom_metadata_map["dualgaf.json"])["class_names"]
_, C, T = model.get_inputs()[0].shape
Row = Annotated[list[float], Field(min_length=T, max_length=T)]


class Window(BaseModel):
    """What a request holds; one that does not fit gets its own 422, and is in no batch."""

    window: Annotated[list[Row], Field(min_length=C, max_length=C)]


class Judge(litserve.LitAPI):
    """Judges the windows of many requests at once."""

    def setup(self, device: str) -> None:
        self.model = onnxruntime.InferenceSession(sys.argv[1])

    def decode_request(self, request: Window) -> Any:
        return np.array(request.window)

    def predict(self, windows: Any) -> Any:
        return self.model.run(None, {"windows": windows})[0]

    def encode_response(self, output: Any) -> Any:
        if np.isnan(output).any():  # an error that is raised here would be that of the whole batch
            why = "a number is a NaN, or too far from those of the training"
            return JSONResponse({"detail": why}, 422)
        return dict(zip(names, output.tolist(), strict=True))


FIRST = os.getpid()


def stop(*_: object) -> None:
    """LitServe ends all of its processes after Ctrl-C; SIGTERM would end the first alone."""
    raise KeyboardInterrupt if os.getpid() == FIRST else SystemExit


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    api = Judge(max_batch_size=64, batch_timeout=0.01)
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(host="127.0.0.1", port=sys.argv[2], generate_client_file=False, log_level="warning")
