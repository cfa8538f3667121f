# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The four hooks, all called at configure time only, one plugin at a time, guarded by the host.

A plugin is a module named by an entry point of the group ``edge_perception``. It states the
contract that it was written for, and implements any of the hooks::

    from edge_perception.contract import hookimpl

    EDGE_PERCEPTION_CONTRACT = '0.1'  # or the first and the last of several: '0.1-0.3'

    @hookimpl
    def register_engines(register):
        register(MyEngineType())
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import logging

import pluggy

from edge_perception.contract.builder import Builder
from edge_perception.contract.decoder import Decoder
from edge_perception.contract.engine import EngineType
from edge_perception.contract.stage import Stage

# Its last part rises when something is added, its first part when something is removed or changed;
# below 1.0 the last part counts as the first.
CONTRACT_VERSION = '0.1'
ENTRY_POINT_GROUP = 'edge_perception'

hookspec = pluggy.HookspecMarker('edge_perception')
hookimpl = pluggy.HookimplMarker('edge_perception')


@dataclass(frozen=True, slots=True)
class HostInfo:
    """
    What a plugin may know of the host while it registers; taking it is optional.

    :param logger: for messages at registration; never for the frame path.
    """

    contract_version: str
    logger: logging.Logger


@hookspec
def register_engines(register: Callable[[EngineType], None], host: HostInfo) -> None:
    """Offer engine types: call ``register`` with an instance for each. Thread: the host's."""


@hookspec
def register_decoders(register: Callable[[type[Decoder]], None], host: HostInfo) -> None:
    """Offer decoders: call ``register`` with the class of each. Thread: the host's."""


@hookspec
def register_builders(register: Callable[[Builder], None], host: HostInfo) -> None:
    """Offer builders: call ``register`` with an instance for each. Thread: the host's."""


@hookspec
def register_stages(register: Callable[[type[Stage]], None], host: HostInfo) -> None:
    """Offer stages: call ``register`` with the class of each. Thread: the host's."""
