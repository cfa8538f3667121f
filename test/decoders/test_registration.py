# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pluggy

from edge_perception import decoders
from edge_perception.contract import CONTRACT_VERSION
from edge_perception.contract import hookspecs
from edge_perception.contract import TASKS


def test_every_decoder_is_registered_as_anybodys_would_be():
    manager = pluggy.PluginManager('edge_perception')
    manager.add_hookspecs(hookspecs)
    manager.register(decoders)
    found = []
    manager.hook.register_decoders(register=found.append, host=None)
    assert sorted(decoder.name for decoder in found) == [
        'classifier',
        'heatmap',
        'movenet',
        'nanodet',
        'rtdetr',
        'segmentation',
        'ssd',
        'yolo',
        'yolox',
        'yunet',
    ]
    assert all(decoder.tasks <= set(TASKS) for decoder in found)


def test_they_are_written_for_this_contract():
    assert decoders.EDGE_PERCEPTION_CONTRACT == CONTRACT_VERSION
