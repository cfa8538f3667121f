# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The state of the node as /diagnostics (REP-107)."""

from __future__ import annotations

import platform

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue

from edge_perception.contract.errors import printable
from edge_perception.ros.camera import Camera
from edge_perception.ros.guard import CallbackGuard
from edge_perception.ros.session import Session
from edge_perception.runtime.accounts import FrameCounts
from edge_perception.runtime.budget import NS_PER_MS

HARDWARE_ID = platform.node()
# No frame of a network that fits on a vehicle takes so long.
HANGING_S = 5.0


def array(stamp: Time, statuses: list[DiagnosticStatus]) -> DiagnosticArray:
    """Return the message that is published."""
    message = DiagnosticArray(status=statuses)
    message.header.stamp = stamp
    return message


def statuses(node_name: str, *, session: Session | None, trouble: str) -> list[DiagnosticStatus]:
    """
    Return statuses of the engine, each camera and its stages.

    :param node_name: fully qualified; the names of the statuses start with it.
    :param session: None when nothing is configured.
    :param trouble: why the node cannot work; empty when it can.
    """
    if session is None:
        level = DiagnosticStatus.ERROR if trouble else DiagnosticStatus.OK
        return [_status(f'{node_name}: engine', level, trouble or 'not configured', {})]
    busy_s = session.busy_s
    trouble = trouble or session.condition
    if not trouble and busy_s > HANGING_S:
        trouble = f'the engine has been busy with one frame for {busy_s:.0f} s'
    level = DiagnosticStatus.ERROR if trouble else DiagnosticStatus.OK
    if not trouble and session.artifact.warning:
        level, trouble = DiagnosticStatus.WARN, f'unverified: {session.artifact.warning}'
    if not trouble and session.health.get('throttled'):
        level, trouble = DiagnosticStatus.WARN, 'the device is throttled by heat or lack of power'
    manifest = session.model.manifest
    engine = {
        'engine': session.engine_name,
        'device': session.device,
        'model': manifest.name,
        'sha256': manifest.sha256,
        'artifact': session.artifact.path.name,
        'precision': session.artifact.precision,
        'computed': session.computed,
        'proven': session.artifact.proven,
        **{f'health.{name}': _text(value) for name, value in session.health.items()},
        'signature': session.model.admitted.words if session.model.admitted else '',
    }
    if session.health_problem:
        engine['health'] = session.health_problem
    found = [_status(f'{node_name}: engine', level, trouble or 'ready', engine)]
    for camera in session.cameras:
        # The name of the only camera is empty.
        prefix = f'{node_name}: {camera.name} '.rstrip() + ' '
        found.append(_camera_status(f'{prefix}camera', session, camera))
        for stage in camera.stages:
            problem, topics = camera.stage_topics.problem(stage), camera.stage_topics.topics(stage)
            problem = problem or (camera.pose_doubt if stage.reads.calibration else '')
            values = {f'{name}_topic': topic for name, topic in topics.items()}
            dropped = camera.stage_topics.dropped(stage)
            values |= {f'{name}_dropped': str(count) for name, count in dropped.items()}
            values |= {name: str(count) for name, count in stage.counts.items()}
            level = DiagnosticStatus.WARN if problem else DiagnosticStatus.OK
            found.append(_status(f'{prefix}{stage.name}', level, problem or 'ok', values))
    return found


def busy(node_name: str, what: str, seconds: float) -> DiagnosticStatus:
    """Return the status of a node that can report nothing else while something is at work."""
    message = f'{what} has been running for {seconds:.0f} s'
    return _status(f'{node_name}: engine', DiagnosticStatus.WARN, message, {})


def namesakes(node_name: str, words: str) -> list[DiagnosticStatus]:
    """Return a status of nodes with the name of this one; none where there are none."""
    return [_status(f'{node_name}: name', DiagnosticStatus.WARN, words, {})] if words else []


def failed_callbacks(node_name: str, guard: CallbackGuard) -> list[DiagnosticStatus]:
    """Return a status that counts the callbacks that raised; none while all worked."""
    if not guard.failures:
        return []
    message = f'{guard.failures} callbacks failed and were skipped, the last: {guard.cause}'
    values = {'failures': str(guard.failures), 'cause': guard.cause}
    return [_status(f'{node_name}: callbacks', DiagnosticStatus.WARN, message, values)]


def _camera_status(name: str, session: Session, camera: Camera) -> DiagnosticStatus:
    channel = camera.channel
    counts, lost = channel.accounts.counts(), camera.input.lost_before_node
    values = {
        'topic': camera.input.topic,
        'engine': session.engine_name,
        'budget_ms': f'{camera.budget_ms:g}',
        'service_ms_p95': _text(channel.admission.p95_ns / NS_PER_MS),
        'received': str(counts.received),
        'published': str(counts.published),
        'published_late': str(counts.published_late),
        'in_flight': str(counts.in_flight),
        **{f'dropped.{reason}': str(number) for reason, number in counts.dropped.items()},
        'lost_before_node': 'unknown' if lost is None else str(lost),
    }
    values['not_finite'] = _text(camera.last[1].perception.not_finite if camera.last else 0)
    age = channel.age_ms.percentiles()
    values['age_ms.p50'] = _text(age.p50)
    values['age_ms.p95'] = _text(age.p95)
    values['age_ms.p99'] = _text(age.p99)
    values['age_ms.max'] = _text(age.maximum)
    for stage, window in channel.stage_ms.items():
        percentiles = window.percentiles()
        values[f'{stage}_ms.p50'] = _text(percentiles.p50)
        values[f'{stage}_ms.p95'] = _text(percentiles.p95)
    level, message = _judge(session, camera, counts)
    return _status(name, level, message, values)


def _judge(session: Session, camera: Camera, counts: FrameCounts) -> tuple[bytes, str]:
    """Judge what happened since the last report."""
    before, camera.reported = camera.reported, counts
    if not session.active:
        return DiagnosticStatus.OK, 'not active'
    if camera.budget_problem:
        return DiagnosticStatus.WARN, camera.budget_problem
    if not session.enabled:
        return DiagnosticStatus.OK, 'switched off by ~/enable'
    if camera.input_problem:
        return DiagnosticStatus.WARN, camera.input_problem
    if not camera.input.subscribed or not camera.input.publishers():
        return DiagnosticStatus.WARN, f'no node publishes {camera.input.topic}'
    if counts.received == before.received:
        # How long a camera may be silent says its watch, above.
        return DiagnosticStatus.OK, 'no image since the last report'
    dropped = {
        reason: number - before.dropped[reason]
        for reason, number in counts.dropped.items()
        if reason != 'superseded' and number > before.dropped[reason]
    }
    if camera.stamp_problem:
        return DiagnosticStatus.WARN, camera.stamp_problem
    for problem in (camera.box_problem, camera.image_problem):
        if problem and not dropped:
            return DiagnosticStatus.WARN, problem
    if not dropped:
        return DiagnosticStatus.OK, 'ok'
    words = ', '.join(f'{number} {reason}' for reason, number in dropped.items())
    return DiagnosticStatus.WARN, f'dropped since the last report: {words}'


def _status(name: str, level: bytes, message: str, values: dict[str, str]) -> DiagnosticStatus:
    return DiagnosticStatus(
        name=name,
        level=level,
        message=printable(message),
        hardware_id=HARDWARE_ID,
        values=[KeyValue(key=key, value=printable(value)) for key, value in values.items()],
    )


def _text(value: float) -> str:
    return f'{value:.2f}'
