# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Load delegates: libraries through which LiteRT computes on other accelerators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import LoadOutcome
from edge_perception.contract import OptionError
from edge_perception.contract.loading.load_trial import load_error
from edge_perception.contract.loading.load_trial import outcome_of
from edge_perception_litert import edge_tpu
from edge_perception_litert.errors import artifact_error
from edge_perception_litert.interpreter import Delegate
from edge_perception_litert.interpreter import InterpreterSession
from edge_perception_litert.library import ENGINE
from edge_perception_litert.library import Library
from edge_perception_litert.options import LiteRtOptions

# Delegates that worked in a trial.
_proven: set[Delegate] = set()


def choose_delegate(options: LiteRtOptions) -> Delegate | None:
    """
    Return the delegate that the options ask for; None for the CPU alone.

    :raises EngineUnavailableError: the options name no device, or are no options of a delegate.
    :raises OptionError: there are options for a delegate, and none that would read them.
    """
    device = edge_tpu.parse_device(options.device)
    extra = tuple(_pair(each) for each in options.delegate_options)
    if device is not None:
        chosen = edge_tpu.edge_tpu_delegate(device, options.delegate)
    elif options.delegate:
        chosen = Delegate(options.delegate, Path(options.delegate).name)
    elif extra:
        raise OptionError(
            f'engine {ENGINE!r}: delegate_options: got {", ".join(options.delegate_options)} for '
            'no delegate; leave it out, or name a delegate in the option delegate or device'
        )
    else:
        return None
    return Delegate(chosen.library, chosen.name, (*chosen.options, *extra))


def is_edge_tpu(delegate: Delegate | None) -> bool:
    """Tell whether a delegate is that of an Edge TPU."""
    return delegate is not None and delegate.name == edge_tpu.DEVICE


def try_delegate(session: InterpreterSession, delegate: Delegate, *, artifact: Path) -> None:
    """
    Try a delegate with a model, in a child process, once for each process.

    Only once, because an Edge TPU belongs to one process at a time, soon to this one.

    :raises EngineUnavailableError: the delegate or its device is missing, or crashes the process.
    :raises ArtifactError: it cannot load this model.
    """
    if delegate in _proven:
        return
    trial = session.trial(delegate)
    outcome = outcome_of(trial, artifact, session.content)
    if outcome.stage == 'delegate' or outcome.crashed:
        raise delegate_error(outcome, delegate, session.library)
    if outcome.final:
        raise load_error(outcome, trial, artifact)
    if outcome.stage:
        raise artifact_error(artifact, outcome.error, runtime=session.library.runtime)
    _proven.add(delegate)


def load_delegate(library: Library, delegate: Delegate | None) -> list[Any]:
    """
    Load a delegate into this process.

    :return: a list with it, or an empty one.
    :raises EngineUnavailableError: its library or its device is gone.
    """
    if delegate is None:
        return []
    try:
        return [library.module.load_delegate(delegate.library, dict(delegate.options))]
    except Exception as error:
        outcome = LoadOutcome('delegate', type(error).__name__, str(error))
        raise delegate_error(outcome, delegate, library) from error


def delegate_error(
    outcome: LoadOutcome, delegate: Delegate, library: Library
) -> EngineUnavailableError:
    """Return the error for a delegate that did not start."""
    if is_edge_tpu(delegate):
        return edge_tpu.delegate_error(outcome, delegate, library.runtime)
    words = ' '.join(outcome.error.split())
    reason = f'delegate {delegate.library} did not start: {words}'
    remedy = 'see its own documentation for what it needs'
    if outcome.crashed:
        reason = f'delegate {delegate.library} makes {library.runtime} crash ({outcome.kind})'
        remedy = 'install one that was built for this version'
    elif outcome.kind == 'OSError':
        reason = f'delegate {delegate.library} cannot be loaded: {words}'
        remedy = 'correct the option delegate, or install what it needs'
    elif 'tflite_plugin_create_delegate' in words:
        reason = f'{delegate.library} is not a delegate library'
        remedy = 'correct the option delegate'
    return EngineUnavailableError(ENGINE, reason=reason, remedy=remedy)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition('=')
    if not name.strip() or not sign:
        raise EngineUnavailableError(
            ENGINE,
            reason=f'delegate_options: got {text!r}, expected name=value',
            remedy='correct the option delegate_options',
        )
    return name.strip(), value.strip()
