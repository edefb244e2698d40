"""An ONNX graph whose weights are kept in 8 bits and computed with as ordinary numbers: a quarter of what a visitor has to fetch.

Other than ``deploy.int8``, nothing that goes through the graph is rounded. There, what two processors compute differently in the seventh
digit is rounded to other whole numbers, and scores move by a hundredth: no browser would answer as its export does. The weights are spread
out once, when the graph is read. It knows ONNX graphs and numpy; no model, no task.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

LARGEST = 127
LEAST = 4096  # numbers in a weight from which it is worth it


def small(graph: Path, out: Path) -> int:
    """Write a graph with its weights in 8 bits, each row or column with its own scale.

    Args:
        graph: of less than 2 GB, in one file.

    Returns:
        How many weights were made small; 0, and nothing is written, where there is none.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(graph))
    large = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer if _is_large(tensor)}
    looked_up = {node.input[0] for node in model.graph.node if _finds_rows(node)}
    # A table is read in no other way: whoever reads it otherwise needs it whole, and then so may the others.
    used = {name for node in model.graph.node for name in (node.input[1:] if _finds_rows(node) else node.input)}
    used |= {name for node in model.graph.node for name in _read_inside(node)} | {output.name for output in model.graph.output}
    tables = {name for name in large if name in looked_up and name not in used}
    large = {name: value for name, value in large.items() if name in used or name in tables}
    if not large:
        return 0
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in large]
    nodes: list[Any] = []
    for name, value in large.items():
        whole, scales = _rounded(value, rows=name in tables)
        kept += [numpy_helper.from_array(whole, f"{name}.whole"), numpy_helper.from_array(scales, f"{name}.scales")]
        if name not in tables:  # nothing in them depends on a text: they are computed when the graph is read
            nodes.append(helper.make_node("Cast", [f"{name}.whole"], [f"{name}.spread"], name=f"{name}.cast", to=onnx.TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [f"{name}.spread", f"{name}.scales"], [name], name=f"{name}.scaled"))
    for node in model.graph.node:
        nodes += _looked_up(node) if _finds_rows(node) and node.input[0] in tables else [node]
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)
    onnx.save(model, str(out))
    return len(large)


def _is_large(tensor: Any) -> bool:
    from onnx import TensorProto

    return tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2 and int(np.prod(tensor.dims)) >= LEAST


def _finds_rows(node: Any) -> bool:
    return node.op_type == "Gather" and all(one.name != "axis" or one.i == 0 for one in node.attribute)


def _read_inside(node: Any) -> Iterator[str]:
    """What the branches of a node read."""
    for attribute in node.attribute:
        for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            for one in inner.node:
                yield from one.input
                yield from _read_inside(one)


def _rounded(weight: np.ndarray, *, rows: bool) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from -127 to 127, and what they are multiplied with: (rows, 1) or (1, columns), whichever keeps them closer."""
    ways = []
    for axis in (1,) if rows else (0, 1):
        scales = np.maximum(np.abs(weight).max(axis=axis, keepdims=True), 1e-12).astype(np.float32) / np.float32(LARGEST)
        whole = np.rint(weight / scales).astype(np.int8)
        ways.append((float(np.square(whole * scales - weight).sum()), whole, scales))
    _lost, whole, scales = min(ways, key=lambda way: way[0])
    return whole, scales


def _looked_up(node: Any) -> Iterator[Any]:
    """Rows of a table, found as whole numbers and then spread out: a vocabulary is large, and a text is short."""
    from onnx import TensorProto, helper

    name, out = node.input[0], node.output[0]
    yield helper.make_node("Gather", [f"{name}.whole", node.input[1]], [f"{out}.whole"], name=f"{out}.found", axis=0)
    yield helper.make_node("Cast", [f"{out}.whole"], [f"{out}.spread"], name=f"{out}.cast", to=TensorProto.FLOAT)
    yield helper.make_node("Gather", [f"{name}.scales", node.input[1]], [f"{out}.scales"], name=f"{out}.scale", axis=0)
    yield helper.make_node("Mul", [f"{out}.spread", f"{out}.scales"], [out], name=f"{out}.scaled")
