# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import CombinedError
from edge_perception.contract import ConfigurationError
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import Frame
from edge_perception.contract import InferenceError
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelNotFoundError
from edge_perception.contract import OptionError
from edge_perception.contract import PluginError
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import TensorSpec
from edge_perception.models.assembly import assemble
from edge_perception.models.assembly import Assembled
from edge_perception.models.engine_choice import choose_engine
from edge_perception.models.engine_choice import describe_artifact
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.testing import FakeClock
from test.models.assembly_rig import DecoderOptions
from test.models.assembly_rig import EngineOptions
from test.models.assembly_rig import sentences
from test.support.raising import raises
from test.support.stage_rig import stage_type


def classes_error(host: PluginHost, folder: str, *classes: str) -> list[str]:
    said = sentences(host, Request(model=folder, engine='fake', classes=classes))
    assert {code for code, _ in said} == {'configuration_invalid'}
    return [sentence for _, sentence in said]


def test_what_is_assembled_runs(host, engine_type, model):
    assembled = assemble(
        host,
        Request(
            model=model(), engine='fake', engine_options={'fake': {'threads': 2}}, rotation=90
        ),
        clock=FakeClock(),
    )
    assert isinstance(assembled, Assembled)
    assert assembled.model.manifest.name == 'tiny'
    assert assembled.pipeline.engine is engine_type.engines[0]
    assert assembled.pipeline.engine.active
    frame = Frame(np.zeros((8, 4, 3), np.uint8))
    result = assembled.pipeline.process(frame, selection=assembled.selection)
    # The square input holds the image, which is 4 wide and 8 high and lies on its side.
    assert result.perception.detections.xyxy.tolist() == [[-2, 0, 6, 8]]
    assembled.pipeline.engine.deactivate()


def test_options_reach_engine_and_decoder(host, engine_type, model, monkeypatch):
    seen = {}
    create = engine_type.create

    def watch(manifest, artifact: Path, options):
        seen.update(artifact=artifact, options=options)
        return create(manifest, artifact, options)

    monkeypatch.setattr(engine_type, 'create', watch)
    folder = model(decoder={'name': 'fake', 'options': {'top_k': 3}})
    request = Request(model=folder, engine='fake', engine_options={'fake': {'threads': 2}})
    assembled = assemble(host, request)
    assert seen == {'artifact': Path(folder, 'net.onnx'), 'options': EngineOptions(threads=2)}
    assert assembled.pipeline.decoder.options == DecoderOptions(top_k=3)


def test_everything_that_is_wrong_is_said_at_once(host, engine_type, model):
    folder = model(decoder={'name': 'fake', 'options': {'topk': 3, 'top_k': 0}})
    request = Request(
        model=folder,
        engine='fake',
        engine_options={'fake': {'thread': 2}},
        classes=('cat', 'cra'),
    )
    found = [ConfigurationError('parameter', ['rotate: got 45', 'bogus: unknown parameter'])]
    with pytest.raises(CombinedError) as raised:
        assemble(host, request, found=found)
    assert raised.value.sentences() == (
        ('configuration_invalid', 'parameter: rotate: got 45'),
        ('configuration_invalid', 'parameter: bogus: unknown parameter'),
        (
            'option_invalid',
            "engine 'fake': thread: unknown option, did you mean 'threads'?",
        ),
        (
            'option_invalid',
            "decoder 'fake' of tiny: top_k: got 0, expected an integer of at least 1; "
            "topk: unknown option, did you mean 'top_k'?",
        ),
        (
            'configuration_invalid',
            "classes: got 'cat', which the model does not know, did you mean 'car'?",
        ),
        (
            'configuration_invalid',
            "classes: got 'cra', which the model does not know, did you mean 'car'?",
        ),
    )
    assert str(raised.value).splitlines() == [text for _, text in raised.value.sentences()]
    assert engine_type.engines == []


def test_a_model_and_an_engine_that_do_not_exist_are_both_said(host):
    said = sentences(
        host, Request(model='nowhere', engine='fak', engine_options={'fak': {'threads': 1}})
    )
    assert [code for code, _ in said] == ['model_not_found', 'engine_unavailable']


def test_a_single_error_comes_as_itself(host, model):
    with pytest.raises(ModelNotFoundError):
        assemble(host, Request(model='nowhere', engine='fake'))
    with pytest.raises(OptionError):
        assemble(
            host, Request(model=model(), engine='fake', engine_options={'fake': {'threads': -1}})
        )
    found = ConfigurationError('parameter', ['bogus: unknown parameter'])
    with pytest.raises(ConfigurationError) as raised:
        assemble(host, Request(model=model(), engine='fake'), found=[found])
    assert raised.value is found


@pytest.mark.parametrize(
    ('name', 'sentence'),
    [
        (
            'faek',
            "engine 'faek' is not available: no plugin offers it, "
            "installed engines: a_rude_one, fake, unplugged; did you mean 'fake'?",
        ),
        (
            'onnx',
            "engine 'onnx' is not available: no plugin offers it, "
            'installed engines: a_rude_one, fake, unplugged',
        ),
        ('unplugged', "engine 'unplugged' is not available: no device; plug it in"),
        (
            'npu',
            "engine 'npu' is not available: cannot be imported: ModuleNotFoundError: "
            "No module named 'not_installed_module'; install what it needs, or uninstall it",
        ),
        (
            'a_rude_one',
            "engine 'a_rude_one' is not available: it cannot say whether it works here: "
            'RuntimeError: driver mismatch; report it to the author of its plugin',
        ),
    ],
)
def test_an_engine_that_cannot_be_had_is_never_replaced_by_another(host, name, sentence):
    with pytest.raises(EngineUnavailableError) as raised:
        choose_engine(host, name)
    assert str(raised.value) == sentence


def test_options_are_checked_although_the_engine_cannot_work_here(host, model):
    request = Request(
        model=model(), engine='unplugged', engine_options={'unplugged': {'threads': 1}}
    )
    codes = [code for code, _ in sentences(host, request)]
    assert codes == ['engine_unavailable', 'option_invalid']


def test_where_another_engine_would_work_it_is_named(host, model):
    ((_, sentence),) = sentences(host, Request(model=model(), engine='unplugged'))
    assert sentence == (
        "engine 'unplugged' is not available: no device; plug it in, or set engine to fake, which "
        'would work here'
    )


def test_without_any_plugin_it_is_said_that_there_is_none():
    with raises(EngineUnavailableError, engine='onnxruntime'):
        choose_engine(PluginHost(candidates=[], environ={}), 'onnxruntime')


def test_an_unknown_decoder_is_an_error_of_the_manifest(host, model):
    folder = model(decoder={'name': 'fakee'})
    with pytest.raises(ManifestError) as raised:
        assemble(host, Request(model=folder, engine='fake'))
    assert str(raised.value) == (
        f"{folder}: decoder.name: got 'fakee', expected one of fake, did you mean 'fake'?; "
        'plugins that are not usable: npu cannot be imported: ModuleNotFoundError: '
        "No module named 'not_installed_module'"
    )


def test_without_wishes_the_selection_is_what_the_model_recommends(host, model):
    selection = assemble(host, Request(model=model(), engine='fake')).selection
    assert (selection.score_threshold, selection.max_detections) == (0.4, 7)
    assert selection.iou_threshold == 0.45
    assert selection.class_ids is None


def test_wishes_come_before_what_the_model_recommends(host, model):
    request = Request(
        model=model(),
        engine='fake',
        score_threshold=0.0,
        iou_threshold=0.9,
        max_detections=1,
        classes=('traffic light', '1', 'car'),
    )
    selection = assemble(host, request).selection
    assert (selection.score_threshold, selection.iou_threshold) == (0.0, 0.9)
    assert selection.max_detections == 1
    assert selection.class_ids == frozenset({1, 2})


def test_a_class_that_the_model_does_not_have_would_never_be_seen(host, model):
    assert classes_error(host, model(), 'person', '3') == [
        "classes: got '3', which the model does not know"
    ]
    assert classes_error(host, model(labels=[]), 'person') == [
        "classes: got 'person', which the model does not know"
    ]


def test_a_model_without_labels_takes_any_index(host, model):
    request = Request(model=model(labels=[]), engine='fake', classes=('17',))
    assert assemble(host, request).selection.class_ids == frozenset({17})


def test_the_engine_is_given_back_when_warming_up_fails(host, engine_type, model):
    engine_type.warm_up_runs = 0

    def fail() -> None:
        raise RuntimeError('out of memory')

    engine_type.behavior = fail
    with raises(InferenceError, 'FakeEngine', 'out of memory'):
        assemble(host, Request(model=model(), engine='fake'))
    assert not engine_type.engines[0].active
    assert engine_type.engines[0].deactivated.is_set()


def test_what_does_not_fit_is_found_before_the_engine_takes_memory(
    host, engine_type, model, monkeypatch
):
    folder = model(decoder={'name': 'fake', 'options': {'top_k': 13}})
    with raises(DecoderMismatchError, "decoder 'fake'", 'tiny'):
        assemble(host, Request(model=folder, engine='fake'))
    spec = TensorSpec('image', (1, 3, 5, 5), np.dtype(np.float32))
    create = engine_type.create

    def other(*arguments: object):
        engine = create(*arguments)
        engine.inputs = (spec,)
        return engine

    monkeypatch.setattr(engine_type, 'create', other)
    with raises(TensorMismatchError, '1x3x4x4 float32', '1x3x5x5 float32'):
        assemble(host, Request(model=model(), engine='fake'))
    assert [engine.active for engine in engine_type.engines] == [False, False]


def test_a_decoder_without_what_comes_after_it_lives_on_is_refused(host, engine_type, model):
    host.stages['second'] = stage_type('second', needs=frozenset({'mask'}))
    request = Request(model=model(), engine='fake')
    with raises(ManifestError, "'fake'", 'detections', "stage 'second'", 'mask'):
        assemble(host, request)
    assert not engine_type.engines[0].active


def test_stages_come_when_what_they_need_is_there_and_else_by_name(host, model):
    for name, tasks, needs in (
        ('a_filter', set(), {'poses'}),
        ('pose', {'poses'}, {'keypoints', 'detections'}),
        ('points', {'keypoints'}, {'detections'}),
        ('mask', {'mask'}, set()),
    ):
        host.stages[name] = stage_type(name, tasks=frozenset(tasks), needs=frozenset(needs))
    pipeline = assemble(host, Request(model=model(), engine='fake')).pipeline
    assert [stage.name for stage in pipeline.stages] == ['mask', 'points', 'pose', 'a_filter']
    assert pipeline.tasks == {'detections', 'keypoints', 'mask', 'poses'}


def test_options_of_stages_are_checked_with_everything_else(host, engine_type, model):
    host.stages['tracker'] = stage_type('tracker', options_type=DecoderOptions)
    request = Request(
        model=model(), engine='fake', rotation=45, stage_options={'tracker': {'top_k': 0}}
    )
    said = dict.fromkeys(sentences(host, request))
    assert any("stage 'tracker': top_k: got 0" in sentence for _, sentence in said)
    assert len(said) == 2 and not engine_type.engines


def test_a_stage_whose_author_erred_is_said_to_be_at_fault(host, model):
    host.stages['tracker'] = stage_type('tracker', applies=classmethod(lambda *_: 1 / 0))
    with raises(PluginError, "stage 'tracker'", 'ZeroDivisionError'):
        assemble(host, Request(model=model(), engine='fake'))


def test_object_points_without_a_stage_for_poses_are_warned_of(host, model):
    points = {'keypoints': ['a'], 'object_points': [[0, 0, 0]]}
    assembled = assemble(host, Request(model=model(**points), engine='fake'))
    assert any('object_points' in warning for warning in assembled.warnings())


@pytest.mark.parametrize('rotation', [45, -90, 360])
def test_a_rotation_that_is_no_quarter_is_said_with_everything_else(host, model, rotation):
    request = Request(model=model(), engine='fak', rotation=rotation)
    assert [code for code, _ in sentences(host, request)] == [
        'option_invalid',
        'engine_unavailable',
    ]


def test_an_artifact_is_described_by_the_first_engine_that_works_here(host, tmp_path):
    # a_rude_one comes before fake and reads the same files.
    assert describe_artifact(host, tmp_path / 'net.onnx') == ModelDescription((), ())


def test_a_file_that_no_engine_reads_says_what_to_do(host, tmp_path):
    with pytest.raises(ArtifactError) as raised:
        describe_artifact(host, tmp_path / 'net.plan')
    assert str(raised.value) == (
        f'artifact {tmp_path}/net.plan: no engine that works here reads .plan files; '
        'give an ONNX file or a model folder'
    )
    del host.engines['fake']
    with raises(ArtifactError, 'a_rude_one', 'unplugged'):
        describe_artifact(host, tmp_path / 'net.onnx')


def test_labels_that_do_not_match_the_network_are_told(host, model):
    folder = model(labels=['one'])
    assembled = assemble(host, Request(model=folder, engine='fake'))
    assert assembled.warnings() == ()
    assembled.pipeline.decoder.class_count = 2
    assert assembled.warnings()[0].startswith(
        'the model names 1 classes, its network has 2; complete labels'
    )


def test_what_the_author_of_an_engine_did_not_foresee_is_a_sentence(host, engine_type, model):
    def fall_over(*_: object) -> None:
        raise ZeroDivisionError('no layers')

    engine_type.create = fall_over
    with pytest.raises(PluginError) as raised:
        assemble(host, Request(model=model(), engine='fake'))
    assert str(raised.value) == (
        "engine 'fake' cannot read the model: ZeroDivisionError: no layers; "
        'report it to its author'
    )


def test_an_engine_that_is_none_is_the_mistake_of_its_author(host, engine_type, model):
    engine_type.create = lambda *_: None
    with pytest.raises(PluginError) as raised:
        assemble(host, Request(model=model(), engine='fake'))
    assert "engine 'fake'" in str(raised.value)
    assert 'create() gave nothing, expected an Engine; report it to its author' in str(
        raised.value
    )
