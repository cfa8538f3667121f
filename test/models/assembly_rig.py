# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Engines that obey, lie or are missing, and what a refused assembly says."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge_perception.contract import Availability
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType


@dataclass(frozen=True, slots=True)
class EngineOptions(Options):
    threads: int = option(0, 'threads', minimum=0)


@dataclass(frozen=True, slots=True)
class DecoderOptions(Options):
    top_k: int = option(10, 'how many', minimum=1)


class Tunable(FakeEngineType):
    options_type = EngineOptions


class Picky(FakeDecoder):
    options_type = DecoderOptions

    def _bind(self):
        if self.options.top_k == 13:
            raise self.mismatch('anything else')


class Unplugged(FakeEngineType):
    name = 'unplugged'

    def probe(self) -> Availability:
        return Availability(available=False, reason='no device', remedy='plug it in')


class Rude(FakeEngineType):
    """Breaks its promise that ``probe`` never raises."""

    name = 'a_rude_one'

    def probe(self) -> Availability:
        raise RuntimeError('driver\nmismatch')


def sentences(host: PluginHost, request: Request, **options: object) -> list[tuple[str, str]]:
    with pytest.raises(EdgePerceptionError) as raised:
        assemble(host, request, **options)
    return list(raised.value.sentences())
