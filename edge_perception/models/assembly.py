# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Puts model, engine, decoder and preprocessing together: the one way for node and commands."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
import time

from edge_perception.contract import ArtifactError
from edge_perception.contract import Calibration
from edge_perception.contract import check_input
from edge_perception.contract import CombinedError
from edge_perception.contract import Decoder
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import Engine
from edge_perception.contract import EngineError
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import ManifestError
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import parse_options
from edge_perception.contract import PluginError
from edge_perception.contract import Selection
from edge_perception.contract import Stage
from edge_perception.contract.fields import did_you_mean
from edge_perception.contract.fields import shown
from edge_perception.models.artifact_directories import cached_entries
from edge_perception.models.artifacts import Artifact
from edge_perception.models.artifacts import choose_artifact
from edge_perception.models.drafting import draft_file
from edge_perception.models.engine_choice import AUTO
from edge_perception.models.engine_choice import choose_engine
from edge_perception.models.engine_choice import engines_for
from edge_perception.models.finding import find_signed_model
from edge_perception.models.finding import Model
from edge_perception.models.plugin_checks import mistakes_of
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.models.request import engines_in_processes
from edge_perception.models.request import inside_copy
from edge_perception.models.request import make_selection
from edge_perception.models.request import Request
from edge_perception.models.stages import in_order
from edge_perception.models.stages import make_stage
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.runtime.preprocessing import ROTATIONS

# Ten steps from 0 to 1: with fewer no threshold tells objects apart.
COARSEST_STEP = 0.1
# The first run is slower than all others.
WARM_UP_RUNS = 3


@dataclass(frozen=True, slots=True)
class Assembled:
    """
    A model that is ready to run; whoever gets it deactivates ``pipeline.engine`` in the end.

    :param engine: name of the engine.
    :param artifact: what it has loaded.
    :param selection: what the model recommends, overridden by what the user asks for.
    :param passed_over: why ``auto`` did not take the engines before this one, a sentence each.
    :param runtime: name and version of the vendor's library where the engine runs.
    """

    model: Model
    engine: str
    artifact: Artifact
    pipeline: Pipeline
    selection: Selection
    passed_over: tuple[str, ...] = ()
    runtime: str = ''

    def warnings(self) -> tuple[str, ...]:
        """Return what should be mended although it works, in words."""
        coarse, labels = str(self.coarse() or ''), self._labels_that_do_not_fit()
        admitted = filter(None, (self.model.admitted, *self.artifact.built))
        unsigned = (each.warning for each in admitted)
        return tuple(filter(None, (*unsigned, self._unproven(), coarse, labels, self._no_poses())))

    def coarse(self) -> ArtifactError | None:
        """Return what is wrong with an output that cannot carry its scores; None if all can."""
        for spec in self.pipeline.engine.outputs:
            scale = spec.quantization.scale if spec.quantization else 0
            if spec.name in self.pipeline.decoder.score_outputs and scale > COARSEST_STEP:
                return ArtifactError(
                    self.artifact.path,
                    reason=f'its output {spec.name} has steps of {scale:.3g}, which cannot carry '
                    'scores from 0 to 1',
                    remedy='convert the model again with outputs in float, or with boxes, scores '
                    'and classes apart',
                )
        return None

    def _unproven(self) -> str:
        if not self.artifact.warning:
            return ''
        return f'artifact {self.artifact.path}: {self.artifact.warning}'

    def _labels_that_do_not_fit(self) -> str:
        classes, names = self.pipeline.decoder.class_count, len(self.model.manifest.labels)
        if classes is None or classes == names:
            return ''
        return (
            f'the model names {names} classes, its network has {classes}; complete labels in the '
            'manifest, a class without a name is reported as its index'
        )

    def _no_poses(self) -> str:
        if not self.model.manifest.object_points or 'poses' in self.pipeline.tasks:
            return ''
        return 'the model has object_points, but no plugin with a stage for poses is loaded'


@dataclass(frozen=True, slots=True)
class _Loader:
    """Everything that was checked, for loading."""

    model: Model
    engine_type: EngineType
    engine_options: Options
    artifact: Artifact


@dataclass(frozen=True, slots=True)
class _Rest:
    """What does not depend on the engine."""

    decoder_type: type[Decoder]
    decoder_options: Options
    selection: Selection
    stages: Sequence[Stage]


def assemble(
    host: PluginHost,
    request: Request,
    *,
    model: Model | None = None,
    found: Sequence[EdgePerceptionError] = (),
    clock: Clock = time.monotonic_ns,
) -> Assembled:
    """
    Load a model into an engine and warm it up. May take seconds.

    Everything that can be checked without loading is checked first, so that all mistakes are said
    at once.

    :param model: where it was found already; else the one that is asked for is looked up.
    :param found: errors that the caller found before; they are raised together with ours.
    :raises CombinedError: several things are wrong.
    :raises EdgePerceptionError: one thing is wrong.
    """
    errors, rest = list(found), None
    loaders: list[_Loader] = []
    passed_over: list[str] = []
    with collect(errors):
        model = model or find_signed_model(
            request.model, draft=partial(draft_file, host), policy=request.signatures
        )
    with collect(errors):
        _check_rotation(request.rotation)
    with collect(errors):
        engines = engines_in_processes(host, request)
        loaders, passed_over = _make_loaders(engines, request, model)
    with collect(errors):
        rest = _make_rest(host, request, model) if model else None
    raise_all(errors)
    assert rest is not None
    return _load_first(loaders, rest, request, passed_over=passed_over, clock=clock)


def raise_all(errors: Sequence[EdgePerceptionError]) -> None:
    """Raise what was collected, together; nothing where there is nothing."""
    if errors:
        raise errors[0] if len(errors) == 1 else CombinedError(errors)


@contextmanager
def collect(errors: list[EdgePerceptionError]) -> Iterator[None]:
    """Catch what a user can mend, put it into the list and go on."""
    try:
        yield
    except EdgePerceptionError as error:
        errors.append(error)


def _check_rotation(rotation: int) -> None:
    if rotation not in ROTATIONS:
        raise OptionError(f'rotation: got {rotation!r}, expected 0, 90, 180 or 270')


def _make_loaders(
    host: PluginHost, request: Request, model: Model | None
) -> tuple[list[_Loader], list[str]]:
    """Return what may be tried, the best first, and why the others may not."""
    if request.engine != AUTO:
        return _only_loader(host, request, model), []
    loaders: list[_Loader] = []
    passed_over: list[str] = []
    for engine_type in engines_for(host, AUTO) if model else ():
        assert model is not None
        try:
            loaders.append(_make_loader(choose_engine(host, engine_type.name), request, model))
        except (EngineError, PluginError) as error:
            passed_over.append(str(error))
    return loaders, passed_over


def _only_loader(host: PluginHost, request: Request, model: Model | None) -> list[_Loader]:
    errors: list[EdgePerceptionError] = []
    with collect(errors):
        try:
            choose_engine(host, request.engine)
        except EngineUnavailableError as error:
            raise _with_alternatives(error, host, model) from error
    engine_type = host.engines.get(request.engine)
    loaders = []
    if engine_type is not None:
        with collect(errors):
            parsed = _parse_options(engine_type, request)
            if model is not None and not errors:
                artifact = _choose_artifact(engine_type, request, model, parsed)
                loaders = [_Loader(model, engine_type, parsed, artifact)]
    raise_all(errors)
    return loaders


def _with_alternatives(
    error: EngineUnavailableError, host: PluginHost, model: Model | None
) -> EngineUnavailableError:
    """Return the error with the engines that would work now."""
    able = [
        each.name
        for each in engines_for(host, AUTO)
        if model is not None
        and model.source.suffix in each.artifact_suffixes
        and probe(each).available
    ]
    if not able or error.remedy.endswith('?'):  # a misspelled name needs no other engine
        return error
    words = f'or set engine to {" or ".join(able)}, which would work here'
    remedy = f'{error.remedy}, {words}' if error.remedy else words.removeprefix('or ')
    return EngineUnavailableError(error.engine, reason=error.reason, remedy=remedy)


def _make_loader(engine_type: EngineType, request: Request, model: Model) -> _Loader:
    options = _parse_options(engine_type, request)
    artifact = _choose_artifact(engine_type, request, model, options)
    return _Loader(model, engine_type, options, artifact)


def _parse_options(engine_type: EngineType, request: Request) -> Options:
    values = request.engine_options.get(engine_type.name, {})
    owner = f'engine {engine_type.name!r}'
    return parse_options(engine_type.options_type, values, owner=owner)


def _choose_artifact(
    engine_type: EngineType, request: Request, model: Model, options: Options
) -> Artifact:
    with mistakes_of(f'engine {engine_type.name!r}'):
        built = tuple(map(request.signatures.admit_built, cached_entries(model)))
        artifact = choose_artifact(
            model,
            engine_type,
            options,
            request=inside_copy(model, request),
            cached=[each.folder for each in built if each.folder is not None],
        )
        return replace(artifact, built=built)


def _make_rest(host: PluginHost, request: Request, model: Model) -> _Rest:
    """Check all that does not depend on the engine, and say all that is wrong."""
    errors: list[EdgePerceptionError] = []
    decoder_type = decoder_options = selection = None
    stages: list[Stage | None] = []
    with collect(errors):
        decoder_type = _choose_decoder(host, model)
        owner = f'decoder {decoder_type.name!r} of {model.manifest.name}'
        wishes = model.manifest.decoder_options
        decoder_options = parse_options(decoder_type.options_type, wishes, owner=owner)
    with collect(errors):
        selection = make_selection(request, model)
    for name, stage_type in host.stages.items():
        with collect(errors):
            values = request.stage_options.get(name, {})
            stages.append(make_stage(stage_type, model.manifest, values))
    raise_all(errors)
    assert decoder_type is not None and decoder_options is not None
    assert selection is not None
    wanted = [stage for stage in stages if stage is not None]
    return _Rest(decoder_type, decoder_options, selection, wanted)


def _choose_decoder(host: PluginHost, model: Model) -> type[Decoder]:
    name = model.manifest.decoder
    if name not in host.decoders:
        known = ', '.join(sorted(host.decoders)) or 'none'
        hint = did_you_mean(name, host.decoders)
        problem = f'decoder.name: got {name!r}, expected one of {known}{hint}'
        unusable = [f'{each.name} {each.reason}' for each in host.plugins if not each.usable]
        if unusable:
            problem += f'; plugins that are not usable: {", ".join(unusable)}'
        raise ManifestError(str(model.folder), [problem])
    return host.decoders[name]


def _load_first(
    loaders: Sequence[_Loader],
    rest: _Rest,
    request: Request,
    *,
    passed_over: Sequence[str],
    clock: Clock,
) -> Assembled:
    """
    Load the first of some engines that can.

    :param passed_over: why others before them may not be tried.
    """
    passed_over = list(passed_over)
    for loader in loaders:
        try:
            pipeline = _load(loader, rest, rotation=request.rotation, clock=clock)
        except (EngineError, PluginError) as error:
            if request.engine != AUTO:
                raise
            passed_over.append(str(error))
            continue
        if loader.model.admitted:
            loader.model.admitted.loaded()
        return Assembled(
            model=loader.model,
            engine=loader.engine_type.name,
            artifact=loader.artifact,
            pipeline=pipeline,
            selection=rest.selection,
            passed_over=tuple(passed_over),
            runtime=probe(loader.engine_type).runtime,
        )
    raise EngineUnavailableError(AUTO, reason='no engine can load it: ' + '; '.join(passed_over))


def _load(loader: _Loader, rest: _Rest, *, rotation: int, clock: Clock) -> Pipeline:
    """Return a pipeline whose engine is active and warm."""
    manifest, path = loader.model.manifest, loader.artifact.path
    with mistakes_of(f'engine {loader.engine_type.name!r}'):
        engine = loader.engine_type.create(manifest, path, loader.engine_options)
        if not isinstance(engine, Engine):
            raise TypeError(f'create() gave {shown(engine)}, expected an Engine')
    spec = check_input(manifest, engine.inputs)
    outputs = tuple(each.real() for each in engine.outputs)
    with mistakes_of(f'decoder {rest.decoder_type.name!r}'):
        decoder = rest.decoder_type(manifest, outputs=outputs, options=rest.decoder_options)
    stages = in_order(rest.stages, decoder=decoder, model=str(loader.model.folder))
    preprocessor = Preprocessor(manifest.input, spec=spec, rotation=rotation)
    engine.activate()
    try:
        warm_up_ns = _warm_up(engine, clock)
    except BaseException:
        with suppress(EngineError):  # what cannot be given back must not hide why
            engine.deactivate()
        raise
    return Pipeline(
        engine,
        decoder=decoder,
        preprocessor=preprocessor,
        input_name=spec.name,
        stages=stages,
        # What nobody else knows; whoever has a camera takes that of the camera.
        suppliers={'calibration': Calibration.guessed},
        warm_up_ns=warm_up_ns,
        clock=clock,
    )


def _warm_up(engine: Engine, clock: Clock) -> int:
    """Return how long the slowest run took but for the first, nanoseconds."""
    engine.warm_up(runs=1)
    times = []
    for _ in range(WARM_UP_RUNS - 1):
        started_ns = clock()
        engine.warm_up(runs=1)
        times.append(clock() - started_ns)
    return max(times)
