"""Makes an exported graph plainer without changing a bit of what it computes.

Two thirds of what PyTorch's exporter writes is arithmetic on sizes, which every start has to read and every call to do
again. A graph is run at a few sizes, and what was seen there is written in place of what computed it:
whole-number tensors that never change become constants, the target of a Reshape becomes one with 0 (as in the input) and -1
(the rest) in it, and any other tensor of sizes becomes the Shape of a tensor that has them. The zeros that
diffusers' AttnProcessor adds to its scores (`baddbmm` with beta 0) are dropped, and what is computed twice is computed once.
`plainer` checks its result against the graph that it was given, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, helper, numpy_helper

SMALL = 64  # numbers in a tensor that may be one of sizes
Feeds = dict[str, np.ndarray]


def plainer(model: onnx.ModelProto, runs: list[Feeds], others: list[Feeds]) -> onnx.ModelProto:
    """
    runs: feeds for the graph's inputs, in which every free dimension has several sizes, each by itself
    others: feeds of further sizes
    Raises ValueError when the result gives other bits in any of them.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for change in (constants_apart, drop_identities, drop_zeros, merge_equal):
        change(result.graph)
    seen = watch(result, runs)
    for change in (fix_constants, fix_targets, fix_sizes):
        change(result.graph, seen)
    merge_equal(result.graph)
    drop_unused(result.graph)
    checks = [*runs, *others]
    for feeds, before, after in zip(checks, outputs(model, checks), outputs(result, checks), strict=True):
        if any(a.tobytes() != b.tobytes() for a, b in zip(before, after, strict=True)):
            raise ValueError(f"the plainer graph differs for {[v.shape for v in feeds.values()]}")
    return result


# --- what does not depend on the inputs' sizes ---


def constants_apart(g: onnx.GraphProto) -> None:
    """Constant nodes become initializers."""
    for node in [n for n in g.node if n.op_type == "Constant"]:
        (attribute,) = node.attribute
        if attribute.type != AttributeProto.TENSOR:
            raise ValueError(f"a Constant with {attribute.name} is not expected here")
        tensor = g.initializer.add()
        tensor.CopyFrom(attribute.t)
        tensor.name = node.output[0]
        g.node.remove(node)


def drop_identities(g: onnx.GraphProto) -> None:
    kinds = types(g)
    for node in list(g.node):
        same_type = node.op_type == "Cast" and kinds.get(node.input[0]) == node.attribute[0].i
        if node.op_type == "Identity" or same_type:
            replace(g, node, node.input[0])


def drop_zeros(g: onnx.GraphProto) -> None:
    """x + 0 * ConstantOfShape(...) is x: the sum has x's shape, since baddbmm demands it."""
    made = producers(g)
    known = {t.name: numpy_helper.to_array(t) for t in g.initializer if np.prod(t.dims) == 1}

    def is_zero(name: str) -> bool:
        node = made.get(name)
        if node is None or node.op_type != "Mul":
            return False
        sources = [made.get(i) for i in node.input]
        return any(s is not None and s.op_type == "ConstantOfShape" for s in sources) and any(
            i in known and not known[i].any() for i in node.input)

    for node in list(g.node):
        if node.op_type == "Add":
            rest = [i for i in node.input if not is_zero(i)]
            if len(rest) == 1:
                replace(g, node, rest[0])
    drop_unused(g)


def merge_equal(g: onnx.GraphProto) -> None:
    """Equal constants become one, and so do nodes that do the same to the same."""
    names: dict[str, str] = {}
    first: dict[tuple, str] = {}
    for tensor in list(g.initializer):
        if np.prod(tensor.dims) <= SMALL:
            values = numpy_helper.to_array(tensor)
            name = first.setdefault((values.dtype.str, values.shape, values.tobytes()), tensor.name)
            if name != tensor.name:
                names[tensor.name] = name
                g.initializer.remove(tensor)
    done: dict[tuple, list[str]] = {}
    kept_names = {o.name for o in g.output}
    for node in list(g.node):
        node.input[:] = [names.get(i, i) for i in node.input]
        attributes = tuple(sorted(a.SerializeToString(deterministic=True) for a in node.attribute))
        same = done.setdefault((node.domain, node.op_type, tuple(node.input), attributes), list(node.output))
        if same != list(node.output) and not kept_names & set(node.output):
            names |= dict(zip(node.output, same, strict=True))
            g.node.remove(node)


# --- what was seen at several sizes ---


class Seen:
    """The shapes of all tensors and the values of the small whole-number ones, in each run."""

    def __init__(self) -> None:
        self.shapes: dict[str, list[tuple[int, ...]]] = {}
        self.values: dict[str, list[np.ndarray]] = {}


def watch(model: onnx.ModelProto, runs: list[Feeds]) -> Seen:
    """Runs the graph with everything in it as an output."""
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    g = open_model.graph
    given = {o.name for o in g.output}
    names = [o for n in g.node for o in n.output if o]
    g.output.extend(helper.make_empty_tensor_value_info(name) for name in names if name not in given)
    session = quiet_session(open_model, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
    asked = [o.name for o in session.get_outputs()]
    seen = Seen()
    for feeds in runs:
        found = dict(zip(asked, session.run(None, feeds), strict=True)) | feeds
        for name, value in found.items():
            seen.shapes.setdefault(name, []).append(value.shape)
            if value.dtype in (np.int64, np.bool_) and value.size <= SMALL and name not in feeds:
                seen.values.setdefault(name, []).append(value)
    return seen


def fix_constants(g: onnx.GraphProto, seen: Seen) -> None:
    """Whole numbers that were the same in all runs."""
    for node in list(g.node):
        for name in node.output:
            values = seen.values.get(name, [])
            if len(values) == len(next(iter(seen.shapes.values()))) and all(np.array_equal(v, values[0]) for v in values[1:]):
                put_constant(g, name, values[0])
                g.node.remove(node)


def fix_targets(g: onnx.GraphProto, seen: Seen) -> None:
    """Each number of a Reshape's target is a constant, the input's own at that place, or the one that is left over."""
    for node in g.node:
        values = seen.values.get(node.input[1]) if node.op_type == "Reshape" else None
        if values is None or any(a.name == "allowzero" and a.i for a in node.attribute):
            continue
        shapes = seen.shapes[node.input[0]]
        results = seen.shapes[node.output[0]]
        target = []
        for i in range(len(results[0])):
            sizes = {shape[i] for shape in results}
            if len(sizes) == 1:
                target.append(sizes.pop())
            elif all(i < len(shape) and shape[i] == result[i] for shape, result in zip(shapes, results, strict=True)):
                target.append(0)
            else:
                target.append(-1)
        if target.count(-1) <= 1:
            node.input[1] = put_constant(g, f"to_{'_'.join(map(str, target))}", np.array(target))


def fix_sizes(g: onnx.GraphProto, seen: Seen) -> None:
    """Any other tensor of sizes becomes the Shape of the first tensor that had them, where there is one before it."""
    drop_unused(g)
    have: dict[tuple, str] = {tuple(seen.shapes[i.name]): i.name for i in reversed(g.input)}
    for node in list(g.node):
        for name in node.output:
            values = seen.values.get(name)
            if values is not None and values[0].ndim == 1 and node.op_type != "Shape":
                source = have.get(tuple(tuple(v.tolist()) for v in values))
                if source is not None and len({v.tobytes() for v in values}) > 1:
                    node.CopyFrom(helper.make_node("Shape", [source], [name]))
            have.setdefault(tuple(seen.shapes[name]), name)


# --- hands ---


def quiet_session(model: onnx.ModelProto, level: onnxruntime.GraphOptimizationLevel) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def outputs(model: onnx.ModelProto, runs: list[Feeds]) -> list[list[np.ndarray]]:
    session = quiet_session(model, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    return [session.run(None, feeds) for feeds in runs]


def producers(g: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {o: n for n in g.node for o in n.output}


def types(g: onnx.GraphProto) -> dict[str, int]:
    known = {t.name: t.data_type for t in g.initializer} | {i.name: i.type.tensor_type.elem_type for i in g.input}
    inferred = onnx.shape_inference.infer_shapes(helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)]))
    return known | {v.name: v.type.tensor_type.elem_type for v in inferred.graph.value_info}


def replace(g: onnx.GraphProto, node: onnx.NodeProto, name: str) -> None:
    """Whoever used a node's output uses `name`; a node that gives the graph's own output stays."""
    (output,) = node.output
    if output in {o.name for o in g.output}:
        return
    for other in g.node:
        other.input[:] = [name if i == output else i for i in other.input]
    g.node.remove(node)


def put_constant(g: onnx.GraphProto, name: str, value: np.ndarray) -> str:
    if all(t.name != name for t in g.initializer):
        g.initializer.append(numpy_helper.from_array(value, name))
    return name


def drop_unused(g: onnx.GraphProto) -> None:
    """Nodes and initializers that reach no output."""
    needed = {o.name for o in g.output}
    kept = []
    for node in reversed(g.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    kept.reverse()
    del g.node[:]
    g.node.extend(kept)
    tensors = [t for t in g.initializer if t.name in needed]
    del g.initializer[:]
    g.initializer.extend(tensors)
