# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which engine and which artifact a model is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import Capabilities
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import ModelDescription
from edge_perception.contract import PluginError
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.assembly import assemble
from edge_perception.models.engine_choice import describe_artifact
from edge_perception.models.request import Request
from edge_perception.testing import FakeEngine
from test.models.assembly_rig import Tunable
from test.support.raising import raises


class Acme(Tunable):
    """Reads the same files as another engine, and nothing of their metadata."""

    name = 'acme'
    problem: Exception | None = None

    def describe(self, artifact):
        if self.problem is not None:
            raise self.problem
        return ModelDescription((), ())


class WithMetadata(Tunable):
    name = 'theirs'
    capabilities = Capabilities(metadata=True)

    def describe(self, artifact):
        return ModelDescription((), (), metadata={'task': 'detect'})


class Second(Tunable):
    """Another engine for the same files, which cannot load this one."""

    name = 'a_second'

    def create(self, manifest, artifact, options):
        raise ArtifactError(artifact, reason='is too new', remedy='install a newer one')


class Preferred(Tunable):
    """An engine that wants to be tried before all of ours."""

    name = 'z_last'
    auto_rank = 5


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


def test_an_engine_of_a_plugin_says_itself_where_auto_tries_it(host, model):
    host.engines['z_last'] = Preferred()
    assert assemble(host, Request(model=model(), engine='auto')).engine == 'z_last'


def test_auto_goes_on_after_an_engine_that_fails_and_cannot_be_given_back(host, model):
    class Stuck(FakeEngine):
        def _infer(self, tensors):
            raise RuntimeError('the driver hangs')

        def _deactivate(self):
            raise RuntimeError('and does not let go')

    class Third(Tunable):
        name = 'a_third'

        def create(self, manifest, artifact, options):
            return Stuck(manifest)

    host.engines['a_third'] = Third()
    assembled = assemble(host, Request(model=model(), engine='auto'))
    assert assembled.engine == 'fake'
    assert 'Stuck failed: the driver hangs' in assembled.passed_over
    with raises(InferenceError, 'the driver hangs'):
        assemble(host, Request(model=model(), engine='a_third'))


class Unfinished(Tunable):
    """Another engine for the same files, whose author did not foresee this one."""

    name = 'a_second'

    def create(self, manifest, artifact, options):
        return 1 / 0


class Undecided(Tunable):
    """Another engine for the same files, which fails before it has seen one."""

    name = 'a_second'

    def precision(self, options):
        return 1 / 0


@pytest.mark.parametrize('broken', [Unfinished(), Undecided()])
def test_a_mistake_in_an_engine_does_not_take_the_others_away(host, model, broken):
    host.engines['a_second'] = broken
    assembled = assemble(host, Request(model=model(), engine='auto'))
    assert assembled.engine == 'fake'
    assert any(
        "engine 'a_second' cannot read the model: ZeroDivisionError" in sentence
        for sentence in assembled.passed_over
    )


def test_auto_without_an_engine_that_can_is_an_error_with_every_reason(host, model):
    del host.engines['fake']
    host.engines['a_second'] = Second()
    with pytest.raises(EngineUnavailableError) as raised:
        assemble(host, Request(model=model(), engine='auto'))
    assert 'no device' in str(raised.value)
    assert 'is too new' in str(raised.value)


def test_an_engine_that_was_named_is_never_replaced_by_another(host, model):
    host.engines['a_second'] = Second()
    with raises(ArtifactError, 'too new'):
        assemble(host, Request(model=model(), engine='a_second'))


def test_a_misspelled_engine_gets_the_nearest_name_alone(host, model):
    with pytest.raises(EngineUnavailableError) as raised:
        assemble(host, Request(model=model(), engine='fak'))
    assert str(raised.value).endswith("; did you mean 'fake'?")


def test_an_unverified_artifact_is_a_warning_for_as_long_as_it_runs(host, model):
    folder = model(source={'file': 'net.fake'})
    (Path(folder) / 'net.fake').touch()
    with raises(ArtifactError, 'fake', 'net.fake'):
        assemble(host, Request(model=folder, engine='fake'))
    request = ArtifactRequest(allow_unverified=True)
    assembled = assemble(host, Request(model=folder, engine='fake', artifact=request))
    assert any('not verified' in warning for warning in assembled.warnings())


def test_metadata_is_read_by_the_engine_that_knows_it_whatever_else_is_installed(host):
    host.engines.clear()
    host.engines.update(acme=Acme(), theirs=WithMetadata())
    assert describe_artifact(host, Path('net.onnx')).metadata == {'task': 'detect'}


def test_an_engine_that_cannot_describe_a_file_leaves_it_to_the_next(host):
    broken, other = Acme(), WithMetadata()
    broken.problem, other.name = KeyError('tensor(float16)'), 'zeta'
    host.engines.clear()
    host.engines.update(acme=broken, zeta=other)
    assert describe_artifact(host, Path('net.onnx')).metadata == {'task': 'detect'}


def test_of_all_engines_that_cannot_describe_a_file_the_first_is_heard(host):
    first, second = Acme(), Acme()
    first.problem = ArtifactError(Path('net.onnx'), reason='is cut off', remedy='copy it again')
    second.problem = PluginError('no idea')
    first.auto_rank = 30
    host.engines.clear()
    host.engines.update(acme=second, other=first)
    with raises(ArtifactError, 'is cut off'):
        describe_artifact(host, Path('net.onnx'))
