# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The report of the landings, in Markdown, with one plot."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from tools.landing.consistency import KINDS
from tools.landing.docking import STAGING_M
from tools.landing.docking import THRESHOLD
from tools.landing.docking import TRANSLATION_X
from tools.landing.landing_flight import Landing
from tools.landing.trials import AUTOPILOTS
from tools.landing.trials import HIDDEN
from tools.landing.trials import LANDED
from tools.landing.trials import PADS
from tools.landing.trials import seconds_known_after_loss
from tools.landing.trials import Trials

PLOT = 'landing_report.png'
_COLORS = {'ardupilot': 'tab:blue', 'px4': 'tab:orange'}
_WORST = 10
_HEAD = """# Landing, simulated

For people who want to know what the [bridges](landing.md) were tried with. No autopilot ran and
nothing flew: the receivers are models, written from the sources of ArduPilot and PX4; vehicle,
wind, camera and keypoints are simulated. Real are the pose from keypoints, the stage `target`,
the bridge, and the MAVLink bytes over UDP.

Made by `python -m tools.landing --write`{machine}.

Each flight: a start within 2 m of the pad, 2 to 6 m high (the pad of 0.3 m: to {small} m, farther
away its keypoints are not told apart), any heading; gusts to 4 m/s that change as Dryden's
turbulence does; the vehicle's own position 2 cm off and drifting 5 cm a minute, its attitude half
a degree; 20 images a second, 5 % of the
keypoints and 2 % of the images without result; ages from the [measured
latency](latency.md#where-the-time-goes) and 10 to 35 ms for the camera, which is assumed; one
image in 200 takes 0.7 s, and those behind it wait. The last meter is flown on the vehicle's own
position.

![Tracks, errors, ages and states](landing_report.png)"""


def markdown(trials: Trials, machine: str) -> str:
    """Return the report."""
    parts = [_HEAD.format(machine=machine, small=PADS[0.3])]
    if trials.landings:
        parts += ['## Landings', _landings(trials), '### The ten worst', _worst(trials.landings)]
    if any(trials.varied.values()):
        parts += ['## Where the error comes from', _varied(trials)]
    parts += ['## When the pad is covered', _hidden(trials)]
    if trials.dockings:
        parts += ['## Docking', _docking(trials)]
    parts += ['## Covariances', _consistency(trials)]
    failures = trials.failures()
    parts += ['## What is not as it should be', '\n'.join(f'* {each}' for each in failures)]
    return '\n\n'.join(parts if failures else parts[:-2]) + '\n'


def _table(head: str, rows: list[str]) -> str:
    return '\n'.join([head, '|' + '---|' * (head.count('|') - 1), *rows])


def _landings(trials: Trials) -> str:
    rows = []
    for autopilot in AUTOPILOTS:
        flown = trials.landings_of(autopilot)
        near = trials.landed(autopilot)
        errors = np.percentile([100 * each.error for each in flown], (50, 95, 100))
        ages = np.concatenate([each.ages for each in flown]) * 1e3
        messages, wrong = len(ages), sum(each.wrongly_sent for each in flown)
        rows.append(
            f'| {autopilot} | {sum(near)} of {len(near)} | '
            + ' / '.join(f'{each:.1f}' for each in errors)
            + f' | {np.median([each.seconds for each in flown]):.1f} | {messages} | {wrong} | '
            + ' / '.join(f'{each:.0f}' for each in np.percentile(ages, (50, 95)))
            + ' |'
        )
    head = (
        '| receiver | within 10 cm | error, cm (median / p95 / most) | seconds (median) '
        '| messages | of images without pad, ambiguous or stale '
        '| age at the autopilot, ms (median / p95) |'
    )
    return (
        _table(head, rows) + '\n\nThe age is counted in steps of 10 ms, those of the simulation.'
    )


def _worst(landings: list[Landing]) -> str:
    rows = []
    for each in sorted(landings, key=lambda each: -each.error)[:_WORST]:
        start = each.start
        taken, why_not = each.counts['taken'], each.counts - Counter(taken=each.counts['taken'])
        words = ', '.join(f'{number} {name}' for name, number in sorted(why_not.items())) or '-'
        rows.append(
            f'| {start.autopilot} | {start.seed} | {start.pad_size:g} | {start.height:.1f} | '
            f'{np.linalg.norm(start.offset):.1f} | {100 * each.error:.1f} | {taken} | {words} |'
        )
    head = (
        '| receiver | seed | pad, m | height, m | away, m | error, cm | messages taken | other |'
    )
    return _table(head, rows)


def _varied(trials: Trials) -> str:
    rows = [
        f'| {name} | {np.median(errors) * 100:.1f} | {max(errors) * 100:.1f} | '
        f'{sum(error <= LANDED for error in errors)} of {len(errors)} |'
        for name, errors in trials.varied.items()
    ]
    head = '| receiver px4 | error, cm (median) | most | within 10 cm |'
    return (
        'From the vehicle that is simulated, not from what it is told: without wind, and where it '
        'knows its own position and attitude, nothing is left.\n\n' + _table(head, rows)
    )


def _hidden(trials: Trials) -> str:
    first, last = HIDDEN
    rows = [
        f'| {autopilot} | {seconds_known_after_loss(each):.1f} | {100 * each.error:.1f} |'
        for autopilot, each in trials.hidden.items()
    ]
    head = '| receiver | target known after the last message, s | error at touchdown, cm |'
    return (
        f'Something lies on the pad from second {first:g} to second {last:g} of the flight. The '
        'bridge sends nothing; the receivers hold the position once their own timeouts (ArduPilot '
        '2 s, PX4 5 s) have passed, and go on when the pad is seen again.\n\n' + _table(head, rows)
    )


def _docking(trials: Trials) -> str:
    errors = np.array([(100 * each.error, np.degrees(each.turned)) for each in trials.dockings])
    return (
        f"{len(errors)} approaches in the plane by Nav2's rules: a start within 15 cm and 9 "
        f'degrees of a staging pose {STAGING_M:g} m before the dock, a pad of 0.3 m, '
        f'`external_detection_translation_x: {TRANSLATION_X:g}`, `docking_threshold: '
        f'{THRESHOLD:g}` (with the default of 0.05 Nav2 itself stops earlier). They ended at most '
        f'{errors[:, 0].max():.1f} cm and {errors[:, 1].max():.1f} degrees from the dock.'
    )


def _consistency(trials: Trials) -> str:
    rows = [
        f'| {bin_} | {kind} | {mean:.2f} | {100 * inside:.1f} % | {count} | {wrong} |'
        for bin_, kind, mean, inside, count, wrong in trials.consistency.rows()
    ]
    freedom = ', '.join(f'{kind} {degrees}' for kind, (degrees, _) in KINDS.items())
    head = '| bin | of | mean | inside 95 % | images | wrong |'
    return (
        f'Squared errors over the stated covariance, for each degree of freedom ({freedom}): 1 is '
        'honest, less is too careful. `pose` is a pose of one image that is not ambiguous, NIS a '
        'measurement against the prediction of the filter, NEES its position and velocity. Images '
        'in the last column show the mirrored pose as the right one; the mean leaves them out. '
        'The pad is 1 m wide and moves in the fixed frame as the option `acceleration` says; for '
        'a pad that lies still (`target moves` from 0) the filter is more careful than it has to '
        'be, by choice.\n\n' + _table(head, rows)
    )


def plot(trials: Trials, path: Path) -> None:
    """Draw tracks from above, errors, ages and states."""
    from matplotlib.figure import Figure

    figure = Figure((11, 8.5), layout='constrained')
    above, errors, ages, states = figure.subplots(2, 2).flat
    for each in trials.landings:
        track = np.array(each.track)
        above.plot(track[:, 2], track[:, 1], color=_COLORS[each.start.autopilot], lw=0.5)
    above.set(xlabel='east, m', ylabel='north, m', title='tracks from above', aspect='equal')
    for autopilot, color in _COLORS.items():
        flown = trials.landings_of(autopilot)
        settings = {'color': color, 'alpha': 0.6, 'label': autopilot}
        errors.hist([100 * each.error for each in flown], np.arange(0, 16), **settings)
        everything = np.concatenate([each.ages for each in flown]) * 1e3
        ages.hist(everything, np.arange(5, 120, 10), **settings)
    errors.axvline(10, color='black', lw=0.8)
    errors.set(xlabel='error at touchdown, cm', ylabel='landings', title='errors')
    ages.set(xlabel='age of a message at the autopilot, ms', ylabel='messages', title='ages')
    errors.legend()
    names = ('lost', 'acquiring', 'coasting', 'tracking')
    seconds = np.arange(0, 16, 0.5)
    shares = np.zeros((len(names), len(seconds) - 1))
    for each in trials.landings:
        for at, state in each.states:
            if (index := int((at - 1.0) / 0.5)) < shares.shape[1]:
                shares[names.index(state), index] += 1
    shares /= np.maximum(shares.sum(axis=0), 1)
    states.stackplot(seconds[:-1], shares, labels=names)
    states.set(xlabel='seconds of flight', ylabel='share of the images', title='states')
    states.legend(loc='lower right')
    figure.savefig(path, dpi=90, metadata={'Software': None})
