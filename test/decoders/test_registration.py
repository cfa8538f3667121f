# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pluggy
import pytest

from edge_perception import decoders
from edge_perception.contract import CONTRACT_VERSION
from edge_perception.contract import DecodeError
from edge_perception.contract import hookspecs
from edge_perception.contract import TASKS
from edge_perception.contract import TensorSpec
from edge_perception.decoders.detection.finished import FinishedDecoder
from test.plugins.conformance.test_decoders import BuiltIn

# The first size of the others counts images.
OF_ONE_IMAGE = [kit for kit in BuiltIn.__subclasses__() if kit.decoder_type is not FinishedDecoder]


def test_every_decoder_is_registered_as_anybodys_would_be():
    manager = pluggy.PluginManager('edge_perception')
    manager.add_hookspecs(hookspecs)
    manager.register(decoders)
    found = []
    manager.hook.register_decoders(register=found.append, host=None)
    assert sorted(decoder.name for decoder in found) == [
        'classifier',
        'finished',
        'heatmap',
        'movenet',
        'nanodet',
        'rtdetr',
        'segmentation',
        'ssd',
        'yolo',
        'yolo_anchors',
        'yolox',
        'yunet',
    ]
    assert all(decoder.tasks <= set(TASKS) for decoder in found)


def test_they_are_written_for_this_contract():
    assert decoders.EDGE_PERCEPTION_CONTRACT == CONTRACT_VERSION


@pytest.mark.parametrize('images', [0, 2])
@pytest.mark.parametrize('kit', OF_ONE_IMAGE, ids=lambda kit: kit.__name__)
def test_an_output_that_is_not_of_one_image_is_refused(kit, images):
    """An open first size may count what was found, and the first of these is no image."""
    seen = {name: np.concatenate([each] * images or [each[:0]]) for name, each in kit.seen.items()}
    # A count of objects has a single number.
    seen.update({name: each for name, each in kit.seen.items() if each.ndim == 1})
    proof = kit()
    outputs = [
        TensorSpec(name, (-1, *each.shape[1:]) if each.ndim > 1 else each.shape, each.dtype)
        for name, each in kit.seen.items()
    ]
    with pytest.raises(DecodeError):
        proof.decode(seen, decoder=proof.make(outputs))
