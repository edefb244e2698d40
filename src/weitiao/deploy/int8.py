"""An ONNX graph with small whole numbers for weights: a quarter of the size, and faster on processors that multiply bytes.

Weights become whole numbers from -63 to 63 with a scale for each output, and what goes into a product becomes bytes with a scale for each
token: what a text's tokens become does not depend on the texts beside it. The weights have 7 bits because processors without VNNI add up
two products in 16 bits, which two products of 8 bits would overflow. Embeddings keep 8 bits, with a scale a token. It knows ONNX graphs and
numpy; no model, no task.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.errors import ModelError
from weitiao.messages import _

MICROSOFT = "com.microsoft"  # the domain of onnxruntime's own operators
WEIGHT, EMBEDDING, ACTIVATION = 63, 127, 127  # largest whole numbers
MIDDLE = 128  # of a byte: what 0 becomes in an activation
TABLE = 256  # rows from which a table of embeddings is worth it
ONE_FILE = 2**31 - 2**20  # bytes: what protobuf holds


def quantise(graph: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Quantise the graph in a file, in its place.

    Args:
        graph: what is recorded of it.

    Returns:
        The same with its new precision.

    Raises:
        ModelError: there is nothing in it to quantise.
    """
    import onnx

    model = onnx.load(str(file))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    rewriting = _Rewriting(weights)
    nodes = [new for node in model.graph.node for new in rewriting.rewritten(node)]
    if not rewriting.products:
        raise ModelError(_('This model has no matrix products with weights, so int8 would change nothing. Use "--to onnx".'))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {output.name for output in model.graph.output}
    kept = [tensor for tensor in (*weights.values(), *rewriting.made) if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.value_info[:]  # shapes of what is no longer there
    if all(opset.domain != MICROSOFT for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(MICROSOFT, 1))
    for old in file.parent.glob("*"):
        if old.suffix in (".onnx", ".data") or _is_weight(old, weights):
            old.unlink()
    onnx.save(model, str(file), save_as_external_data=model.ByteSize() > ONE_FILE, location=f"{file.name}.data")
    return {**graph, "precision": "int8"}


def _is_weight(file: Path, weights: Mapping[str, Any]) -> bool:
    """Whether a file holds one tensor of a graph of more than 2 GB."""
    return file.name in weights


class _Rewriting:
    """Nodes of a graph, one after the other, with their weights quantised.

    Attributes:
        made: the new tensors.
        products: how many matrix products were quantised.

    Args:
        weights: the graph's tensors by name.
    """

    def __init__(self, weights: Mapping[str, Any]) -> None:
        self.weights, self.products = weights, 0
        self.made: list[Any] = []
        self._activations: dict[str, tuple[str, str]] = {}
        self._quantised: dict[str, tuple[str, str]] = {}
        self._constant("int8.one", np.float32(1.0))
        self._constant("int8.share", np.float32(1 / ACTIVATION))
        self._constant("int8.least", np.float32(1e-12))
        self._constant("int8.middle", np.uint8(MIDDLE))
        self._constant("int8.flat", np.array([-1], np.int64))

    def rewritten(self, node: Any) -> Iterator[Any]:
        """What takes a node's place: itself where nothing in it can be quantised."""
        if node.op_type == "MatMul" and self._matrix(node.input[1]) is not None:
            yield from self._product(node.input[0], node.input[1], node.output[0], self._matrix(node.input[1]))
        elif node.op_type == "Gemm" and self._plain_gemm(node):
            weight = self._matrix(node.input[1])
            turned = any(one.name == "transB" and one.i for one in node.attribute)
            bias = node.input[2] if len(node.input) > 2 else ""
            out = f"{node.output[0]}.product" if bias else node.output[0]
            yield from self._product(node.input[0], node.input[1], out, weight.T if turned and weight is not None else weight)
            if bias:
                yield _node("Add", [out, bias], node.output[0])
        elif node.op_type == "Gather" and self._is_table(node):
            yield from self._looked_up(node)
        else:
            yield node

    def _product(self, left: str, right: str, out: str, weight: Any) -> Iterator[Any]:
        """(..., inner) x (inner, outputs): bytes by whole numbers, then the scales."""
        if left not in self._activations:
            yield from self._activation(left)
        values, scale = self._activations[left]
        if right not in self._quantised:
            scales = np.maximum(np.abs(weight).max(axis=0), 1e-12) / WEIGHT  # (outputs,)
            names = (f"{right}.int8", f"{right}.scales")
            self._constant(names[0], np.rint(weight / scales).astype(np.int8))
            self._constant(names[1], scales.astype(np.float32))
            self._quantised[right] = names
        matrix, scales_name = self._quantised[right]
        inputs = [values, matrix, "int8.one", scales_name, "int8.middle"]
        yield _node("MatMulIntegerToFloat", inputs, f"{out}.unscaled", domain=MICROSOFT)
        yield _node("Mul", [f"{out}.unscaled", scale], out)
        self.products += 1

    def _activation(self, name: str) -> Iterator[Any]:
        """What goes into products, as bytes with a scale a token, (..., 1); once for all the products that it goes into."""
        of = {part: f"{name}.{part}" for part in ("size", "most", "scale", "scales", "flat", "shape", "zeros", "rows", "bytes")}
        yield _node("Abs", [name], of["size"])
        yield _node("ReduceMax", [of["size"]], of["most"], axes=[-1], keepdims=1)
        yield _node("Max", [of["most"], "int8.least"], f"{name}.least")
        yield _node("Mul", [f"{name}.least", "int8.share"], of["scale"])  # (..., 1)
        # Bytes with a scale along one axis: all tokens of all rows stand on it.
        yield _node("Reshape", [of["scale"], "int8.flat"], of["scales"])  # (tokens,)
        yield _node("Shape", [name], of["shape"])
        yield _node("Shape", [of["scales"]], f"{name}.tokens")
        yield _node("Expand", ["int8.middle", f"{name}.tokens"], of["zeros"])
        yield _node("Slice", [of["shape"], *self._ends()], f"{name}.inner")
        yield _node("Concat", [f"{name}.tokens", f"{name}.inner"], f"{name}.table", axis=0)
        yield _node("Reshape", [name, f"{name}.table"], of["rows"])  # (tokens, inner)
        yield _node("QuantizeLinear", [of["rows"], of["scales"], of["zeros"]], of["bytes"], axis=0)
        yield _node("Reshape", [of["bytes"], of["shape"]], f"{name}.int8")
        self._activations[name] = (f"{name}.int8", of["scale"])

    def _ends(self) -> tuple[str, str]:
        """Where the last number of a shape begins and ends."""
        if not any(tensor.name == "int8.last" for tensor in self.made):
            self._constant("int8.last", np.array([-1], np.int64))
            self._constant("int8.end", np.array([2**31 - 1], np.int64))
        return "int8.last", "int8.end"

    def _looked_up(self, node: Any) -> Iterator[Any]:
        """Rows of a table by their numbers, each with its own scale."""
        name, out = node.input[0], node.output[0]
        if f"{name}.table" not in {tensor.name for tensor in self.made}:
            table = self._matrix(name)
            scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / EMBEDDING  # (rows, 1)
            self._constant(f"{name}.table", np.rint(table / scales).astype(np.int8))
            self._constant(f"{name}.row_scales", scales.astype(np.float32))
        # Names of their own: what is looked up may go into a product as it is, and has bytes and scales there, too.
        yield _node("Gather", [f"{name}.table", node.input[1]], f"{out}.found", axis=0)
        yield _node("Cast", [f"{out}.found"], f"{out}.whole", to=1)  # float
        yield _node("Gather", [f"{name}.row_scales", node.input[1]], f"{out}.row_scale", axis=0)
        yield _node("Mul", [f"{out}.whole", f"{out}.row_scale"], out)

    def _matrix(self, name: str) -> Any:
        """A weight of two axes as numpy; None where it is none."""
        from onnx import TensorProto, numpy_helper

        tensor = self.weights.get(name)
        if tensor is None or len(tensor.dims) != 2 or tensor.data_type != TensorProto.FLOAT or min(tensor.dims) < 2:
            return None
        return numpy_helper.to_array(tensor)

    def _plain_gemm(self, node: Any) -> bool:
        values = {one.name: one for one in node.attribute}
        scaled = any(name in values and values[name].f != 1.0 for name in ("alpha", "beta"))
        turned = "transA" in values and values["transA"].i
        return not scaled and not turned and self._matrix(node.input[1]) is not None

    def _is_table(self, node: Any) -> bool:
        rows_first = all(one.name != "axis" or one.i == 0 for one in node.attribute)
        tensor = self.weights.get(node.input[0])
        return rows_first and tensor is not None and self._matrix(node.input[0]) is not None and tensor.dims[0] >= TABLE

    def _constant(self, name: str, value: Any) -> None:
        from onnx import numpy_helper

        self.made.append(numpy_helper.from_array(np.asarray(value), name))


def _node(kind: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, [output], name=f"int8/{output}", domain=domain, **attributes)
