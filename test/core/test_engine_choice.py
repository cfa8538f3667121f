# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which engine and which artifact a model is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.core.artifacts import ArtifactWish
from edge_perception.core.assembly import assemble
from edge_perception.core.request import Request
from test.support.assembly_rig import Tunable


class Second(Tunable):
    """Another engine for the same files, which cannot load this one."""

    name = 'a_second'

    def create(self, manifest, artifact, options):
        raise ArtifactError(artifact, reason='is too new', remedy='install a newer one')


def test_auto_takes_the_first_engine_that_can_load_the_model_and_says_why_not_the_others(
    host, model
):
    host.engines['a_second'] = Second()
    assembled = assemble(host, Request(model=model(), engine='auto'))
    assert assembled.engine == 'fake'
    assert [sentence.split(': ')[0] for sentence in assembled.passed_over] == [
        "engine 'a_rude_one' is not available",
        "engine 'unplugged' is not available",
        f'artifact {assembled.artifact.path}',
    ]


def test_auto_without_an_engine_that_can_is_an_error_with_every_reason(host, model):
    del host.engines['fake']
    host.engines['a_second'] = Second()
    with pytest.raises(EngineUnavailableError) as raised:
        assemble(host, Request(model=model(), engine='auto'))
    assert 'no device' in str(raised.value)
    assert 'is too new' in str(raised.value)


def test_an_engine_that_was_named_is_never_replaced_by_another(host, model):
    host.engines['a_second'] = Second()
    with pytest.raises(ArtifactError, match='is too new'):
        assemble(host, Request(model=model(), engine='a_second'))


def test_a_misspelt_engine_gets_the_nearest_name_alone(host, model):
    with pytest.raises(EngineUnavailableError) as raised:
        assemble(host, Request(model=model(), engine='fak'))
    assert str(raised.value).endswith("; did you mean 'fake'?")


def test_an_unverified_artifact_is_a_warning_for_as_long_as_it_runs(host, model):
    folder = model(source={'file': 'net.fake'})
    (Path(folder) / 'net.fake').touch()
    with pytest.raises(ArtifactError, match='nobody has compared it on fake'):
        assemble(host, Request(model=folder, engine='fake'))
    wish = ArtifactWish(allow_unverified=True)
    assembled = assemble(host, Request(model=folder, engine='fake', artifact=wish))
    assert any('nobody has compared it' in warning for warning in assembled.warnings())
