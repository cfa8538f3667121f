# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""E01 to E06: what a plugin says before it loads a model."""

from __future__ import annotations

from importlib.metadata import EntryPoint
import re

import pytest

from edge_perception.contract import ENTRY_POINT_GROUP
from edge_perception.contract import option_specs
from edge_perception.contract import OptionError
from edge_perception.contract import parse_options
from edge_perception.models.plugin_host import PluginHost
from edge_perception.testing.conformance.clauses import check_options
from edge_perception.testing.conformance.clauses import NAME
from edge_perception.testing.conformance.engine.engine_subject import EngineSubject

PRECISIONS = ('fp32', 'fp16', 'int8')
# Between what rounding gives in float32 and in float16, see ``EngineSubject``.
EXACT = 1e-3


class EngineTypeClauses(EngineSubject):
    """Clauses of ``EngineType``."""

    def test_e01_the_host_takes_it_without_its_vendor(self) -> None:
        """
        Importing and registering a plugin imports no library of its vendor.

        The host takes it on a machine without that library, so that it can be listed there.
        """
        self._check_registered_without_vendor()

    @pytest.mark.parametrize('how', ['missing', 'broken'])
    def test_e02_probe_explains_a_vendor_that_cannot_be_imported(self, how: str) -> None:
        """
        ``probe`` does not raise without its vendor's library, and not when that fails to load.

        It says that the engine is not available, why, and what to do.
        """
        self._check_probe_without_vendor(how)

    def test_e03_probe_is_complete_and_says_the_same_again(self) -> None:
        """``probe`` names runtime and version, or reason and remedy; twice gives the same."""
        availability = self.engine_type.probe()
        assert self.engine_type.probe() == availability
        if availability.available:
            assert re.search(r'\d', availability.runtime), 'expected name and version'
            assert not availability.reason and not availability.remedy
        else:
            assert availability.reason and availability.remedy

    def test_e04_options_are_typed_and_described(self) -> None:
        """
        Options are made by ``option()``, with a description and a default that keeps its bounds.

        What is unknown or does not fit is refused before ``create``, by the name of the option.
        """
        check_options(self.engine_type.options_type)
        with pytest.raises(OptionError, match='no_such_option'):
            parse_options(self.engine_type.options_type, {'no_such_option': 1}, owner='it')
        for spec in option_specs(self.engine_type.options_type):
            with pytest.raises(OptionError, match=spec.name):
                wrong = {spec.name: 'no number' if spec.kind is not str else 7}
                parse_options(self.engine_type.options_type, wrong, owner='it')

    def test_e05_names_are_those_that_users_can_write(self) -> None:
        """
        Its name fits into a parameter, its suffixes have a dot.

        ``precision()`` and ``device_key()`` answer for the options at hand.
        """
        engine_type = self.engine_type
        assert NAME.fullmatch(engine_type.name)
        assert engine_type.artifact_suffixes
        assert all(re.fullmatch(r'\.\w+', each) for each in engine_type.artifact_suffixes)
        assert engine_type.precision(self.parsed_options) in ('fp32', 'fp16', 'bf16')
        if engine_type.probe().available:
            assert engine_type.device_key(self.parsed_options)
        point = EntryPoint('conformance', self.module, ENTRY_POINT_GROUP)
        (plugin,) = PluginHost(candidates=[point], environ={}).plugins
        assert f'engine {engine_type.name}' in plugin.offers, plugin.reason

    def test_e06_precisions_are_declared_with_their_parity(self) -> None:
        """
        ``capabilities.precisions`` are of fp32, fp16, int8.

        The tests name parity for each, or why the device does not have it. What ``precision()``
        calls fp32 is loaded without a proof, so its parity is 1e-3 or better.
        """
        declared = self.engine_type.capabilities.precisions
        assert declared and set(declared) <= set(PRECISIONS)
        assert not set(self.parity) & set(self.limits)
        assert {*self.parity, *self.limits} - {'dynamic_shapes', 'ranks'} == set(declared)
        if self.engine_type.precision(self.parsed_options) == 'fp32':
            assert self.parity.get('fp32', 0) <= EXACT, 'precision() has to say what computes it'
