"""Paints with Optimum's ONNX Runtime pipelines, as asked by bench/support/optimum.ts.

The argument is JSON: { directory, className, threads }. A first line says which versions these are;
then each line that comes in, JSON with the arguments of one picture and its seed, is answered with
{ "ms": from the call of the pipeline to its picture as a PNG file in memory, in parts: up to the first
step's end, each further step, the rest }; "save" names a file to write it to afterwards.
"""

import io
import json
import logging
import os
import sys
import time
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import diffusers  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from importlib.metadata import version  # noqa: E402
from optimum import onnxruntime as optimum  # noqa: E402

asked = json.loads(sys.argv[1])
torch.set_num_threads(asked["threads"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = asked["threads"]
options.inter_op_num_threads = 1
options.log_severity_level = 3
pipe = getattr(optimum, asked["className"]).from_pretrained(
    asked["directory"], provider="CPUExecutionProvider", session_options=options
)
pipe.set_progress_bar_config(disable=True)
names = ("optimum-onnx", "onnxruntime", "diffusers", "torch")
print(json.dumps({"versions": ", ".join(f"{name} {version(name)}" for name in names)}), flush=True)

for line in sys.stdin:
    arguments = json.loads(line)
    seed, save = arguments.pop("seed"), arguments.pop("save", None)
    marks = [time.perf_counter()]

    def mark(_pipe, _step, _timestep, kwargs):
        marks.append(time.perf_counter())
        return kwargs

    image = pipe(**arguments, generator=torch.Generator("cpu").manual_seed(seed), callback_on_step_end=mark).images[0]
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=3)
    marks.append(time.perf_counter())
    ms = [1000 * (b - a) for a, b in zip(marks, marks[1:])]
    if save is not None:
        Path(save).write_bytes(file.getvalue())
    print(json.dumps({"ms": ms}), flush=True)
