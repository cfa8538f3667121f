# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Delegates: libraries through which LiteRT computes on other accelerators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import OptionError
from edge_perception_litert import edge_tpu
from edge_perception_litert.library import ENGINE
from edge_perception_litert.library import Library
from edge_perception_litert.options import LiteRtOptions
from edge_perception_litert.trial import Delegate
from edge_perception_litert.trial import is_proven
from edge_perception_litert.trial import refusal
from edge_perception_litert.trial import Trial
from edge_perception_litert.trial import Verdict
from edge_perception_litert.trial import verdict_on


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


def try_delegate(content: bytes, trial: Trial, *, artifact: Path) -> None:
    """
    Try a delegate with a model, in a child process, once for each process.

    Only once, because an Edge TPU belongs to one process at a time, soon to this one.

    :raises EngineUnavailableError: the delegate or its device is missing, or kills the process.
    :raises ArtifactError: it cannot load this model.
    """
    delegate = trial.delegate
    assert delegate is not None
    if is_proven(delegate):
        return
    verdict = verdict_on(content, trial)
    if verdict.stage == 'delegate' or verdict.crashed:
        raise delegate_error(verdict, delegate, trial.library)
    if verdict.stage:
        raise refusal(verdict, artifact, runtime=trial.library.runtime)


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
        verdict = Verdict('delegate', type(error).__name__, str(error))
        raise delegate_error(verdict, delegate, library) from error


def delegate_error(
    verdict: Verdict, delegate: Delegate, library: Library
) -> EngineUnavailableError:
    """Return the error for a delegate that did not start."""
    if is_edge_tpu(delegate):
        return edge_tpu.delegate_error(verdict, delegate, library.runtime)
    words = ' '.join(verdict.error.split())
    reason = f'delegate {delegate.library} did not start: {words}'
    remedy = 'see its own documentation for what it needs'
    if verdict.crashed:
        reason = f'delegate {delegate.library} makes {library.runtime} crash ({verdict.kind})'
        remedy = 'install one that was built for this version'
    elif verdict.kind == 'OSError':
        reason = f'delegate {delegate.library} cannot be loaded: {words}'
        remedy = 'correct the option delegate, or install what it needs'
    elif 'tflite_plugin_create_delegate' in words:
        reason = f'{delegate.library} is no delegate library'
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
