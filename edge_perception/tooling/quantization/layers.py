# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What belongs together in an ONNX graph: the head, and each convolution with its activation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

# Where the multiplications are: what is worth being quantized.
HEAVY = frozenset({'Conv', 'ConvTranspose', 'Gemm', 'MatMul'})


class Layers:
    """
    Nodes of a graph by what they do.

    :param graph: of a simplified ONNX: nodes are named, and stand in the order of computation.
    """

    def __init__(self, graph: Any) -> None:
        self.nodes: Sequence[Any] = list(graph.node)
        self.heavy = [node for node in self.nodes if node.op_type in HEAVY]
        self._weights = {each.name for each in graph.initializer}
        self._readers: Mapping[str, list[Any]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self._readers[name].append(node)

    def head(self) -> list[str]:
        """
        Return the names of the nodes behind the last heavy ones, where boxes and scores meet.

        They cost little, and one scale for boxes (0 to 640) and scores (0 to 1) makes every score
        zero, so they stay in float.
        """
        leads_on: set[str] = set()  # tensors from which a heavy node is reached
        head = []
        for node in reversed(self.nodes):
            if node.op_type in HEAVY or leads_on.intersection(node.output):
                leads_on.update(node.input)
            else:
                head.append(node.name)
        return head[::-1]

    def layer(self, heavy: Any) -> list[str]:
        """Return a heavy node and what is computed from it alone: its activation."""
        names, tensors = [heavy.name], set(heavy.output)
        for node in self.nodes:
            inputs = [name for name in node.input if name and name not in self._weights]
            if inputs and tensors.issuperset(inputs) and node.op_type not in HEAVY:
                names.append(node.name)
                tensors.update(node.output)
        return names
