# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from edge_perception.contract import option
from edge_perception.contract import Options


@dataclass(frozen=True, slots=True)
class LiteRtOptions(Options):
    """Options of the engine; each is a parameter ``engine_options.litert.<name>``."""

    threads: int = option(
        0,
        'threads that compute one frame; 0 takes one for each core',
        minimum=0,
        maximum=256,
    )
    xnnpack: bool = option(
        True, 'compute with XNNPACK where it can: faster, and the default of LiteRT'
    )
    device: str = option(
        'cpu',
        'cpu; or edgetpu for a Coral, edgetpu:usb or edgetpu:pci for one of that kind, edgetpu:0 '
        'for the first of several',
    )
    delegate: str = option(
        '',
        'path or name of a delegate library, for other accelerators, or of another libedgetpu',
    )
    delegate_options: tuple[str, ...] = option(
        (), 'what is handed to the delegate library, as name=value'
    )
