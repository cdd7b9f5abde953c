import unittest
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnx.reference
import torch
from onnx import helper, numpy_helper

from ..plainer import plainer


class Attention(torch.nn.Module):
    """Heads and sizes as diffusers' AttnProcessor handles them, with its sum of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        words = self.inner(x.view(batch, channels, height * width).transpose(1, 2))
        heads = words.view(batch, -1, 2, 4).transpose(1, 2).reshape(batch * 2, -1, 4)
        scores = torch.baddbmm(torch.empty(heads.shape[0], heads.shape[1], heads.shape[1]), heads, heads.transpose(1, 2), beta=0, alpha=0.5)
        mixed = torch.bmm(scores.softmax(-1), heads).view(batch, 2, -1, 4).transpose(1, 2).reshape(batch, height * width, channels)
        return mixed.transpose(1, 2).reshape(batch, channels, height, width)


def exported(module: torch.nn.Module, x: torch.Tensor) -> onnx.ModelProto:
    with TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(module, (x,), str(path), input_names=["x"], output_names=["y"],
                          dynamic_axes={"x": {0: "b", 2: "h", 3: "w"}, "y": {0: "b", 2: "h", 3: "w"}}, opset_version=17, dynamo=False)
        return onnx.load(str(path))


def feeds(*shapes: tuple[int, ...]) -> list[dict[str, np.ndarray]]:
    numbers = np.random.default_rng(0)
    return [{"x": numbers.standard_normal(shape).astype(np.float32)} for shape in shapes]


class Plainer(unittest.TestCase):
    def test_writes_sizes_that_can_be_said_in_a_reshape_and_keeps_every_bit_at_other_sizes(self):
        torch.manual_seed(0)
        graph = exported(Attention(), torch.randn(2, 8, 4, 4))
        result = plainer(graph, feeds((2, 8, 4, 4), (1, 8, 4, 4), (2, 8, 6, 4), (2, 8, 4, 10)), feeds((3, 8, 5, 7)))
        kinds = [n.op_type for n in result.graph.node]
        self.assertLess(len(kinds), len(graph.graph.node) / 2)
        self.assertNotIn("ConstantOfShape", kinds)
        self.assertEqual(kinds.count("Gather"), 1)  # the batch, where a Reshape makes it and the words at once
        for other in feeds((3, 8, 5, 7), (1, 8, 1, 2)):
            before, after = (onnx.reference.ReferenceEvaluator(m).run(None, other)[0] for m in (graph, result))
            np.testing.assert_array_equal(before, after)

    def test_refuses_a_result_that_gives_other_bits(self):
        # The number of rows, which takes part in the result, was the same in all that was watched.
        x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", "h"]) for name in "xy")
        nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "zero"], ["b"]),
                 helper.make_node("Cast", ["b"], ["f"], to=onnx.TensorProto.FLOAT), helper.make_node("Mul", ["x", "f"], ["y"])]
        zero = numpy_helper.from_array(np.array(0), "zero")
        graph = helper.make_model(helper.make_graph(nodes, "g", [x], [y], [zero]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        runs = feeds((2, 3), (2, 4))
        plainer(graph, runs, feeds((2, 7)))
        with self.assertRaisesRegex(ValueError, "differs"):
            plainer(graph, runs, feeds((5, 4)))


if __name__ == "__main__":
    unittest.main()
