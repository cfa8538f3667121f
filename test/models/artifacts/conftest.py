# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A model folder, and artifacts with proofs in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.models.digests import file_sha256
from edge_perception.models.finding import Model
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import write_proof


@pytest.fixture
def model(tmp_path):
    source = tmp_path / 'net.onnx'
    source.write_bytes(b'the network')
    (tmp_path / 'artifacts').mkdir()
    manifest = ModelManifest(
        name='net', source='net.onnx', decoder='fake', input=InputRecipe(width=4, height=4)
    )
    return Model(folder=tmp_path, manifest=manifest, source=source)


@pytest.fixture
def add(model):
    """Return a function that puts an artifact into the model folder, with a proof if one is."""

    def write(name, *, engine='planner', precision='fp16', proven=True, **changes):
        path = model.folder / 'artifacts' / name
        path.write_bytes(name.encode())
        proof = Proof(
            artifact_sha256=file_sha256(path),
            model_digest=model.digest(),
            engine=engine,
            precision=precision,
            reference='net.onnx on onnxruntime',
            passed=True,
        )
        if proven:
            write_proof(path, replace(proof, **changes))
        return path

    return write
