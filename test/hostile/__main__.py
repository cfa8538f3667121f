# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Run the storms of ``make test-hostile`` against the node as users run it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import asdict
from dataclasses import dataclass
import json
import os
from pathlib import Path
import random
import re
import shutil
import signal
import sys
import time
from typing import Any

import psutil

from edge_perception.contract.user_files import write_whole
from edge_perception.simulation.nodes.processes import parameter_flags
from edge_perception.simulation.playback import Shown
from tools.benchmark.figures import Figures
from tools.benchmark.figures import Limit
from tools.benchmark.figures import longest_gap_ms
from tools.benchmark.figures import publish_times
from tools.benchmark.figures import rounded
from tools.benchmark.harness import Harness
from tools.benchmark.harness import wait_for
from tools.benchmark.report import benchmark_facts
from tools.benchmark.report import say
from tools.benchmark.report import write_report
from tools.benchmark.subjects import BenchmarkError
from tools.benchmark.subjects import ROOT

BUILD = ROOT / 'build'
MODEL = ROOT / 'edge_perception' / 'zoo' / 'landing_pad'
DOCUMENT = ROOT / 'docs' / 'security.md'
RECORD = ROOT / 'docs' / 'records' / 'hostile.json'
BLOCK = re.compile(r'(<!-- measured -->\n).*?(<!-- end -->)', re.DOTALL)
NAMESPACE = '/hostile'
NODE = f'{NAMESPACE}/perception'
# Bars; the first one plus three times the largest message.
MOST_MB, MOST_SILENCE_S, MOST_CORES, MOST_ANSWER_S = 400.0, 2.0, 1.0, 5.0
END_S, POLL_S = 15.0, 0.05


@dataclass(frozen=True, slots=True)
class Phase:
    """
    Storms that go on at the same time.

    :param share: of the time that a phase usually takes.
    :param bars: figures that have a bar here, beside the accounts and the end of the node.
    """

    says: str
    storms: tuple[str, ...]
    share: float = 1.0
    bars: tuple[str, ...] = ('peak_mb', 'silence_s')
    simulated_time: bool = False


PHASES = {
    'images': Phase('malformed Image and CameraInfo, 8 publishers', ('raw',)),
    'compressed': Phase('damaged JPEG and PNG, bombs, 8 publishers', ('compressed',)),
    'parameters': Phase('values of any type, 10 000 at once', ('parameters',)),
    'services': Phase('transitions that are not legal, services', ('services',)),
    'clock': Phase('`/clock` of any time, `use_sim_time`', ('clock',), simulated_time=True),
    'together': Phase(
        'all but the clock at once', ('raw', 'compressed', 'parameters', 'services'), share=3.0
    ),
    'two_publishers': Phase('two good cameras of 1080p on one topic, 30 Hz each', ('large',)),
    'largest': Phase(
        'the largest images that are decoded, of a new camera', ('largest',), bars=()
    ),
    'models': Phase(
        'broken model folders, `configure`', ('models',), bars=('peak_mb', 'slowest_s')
    ),
}


class Watched:
    """Memory of a node and of the children that it tries models in, MB."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.samples: list[tuple[float, float]] = []
        self.child_mb = 0.0

    def look(self) -> None:
        """Take a sample."""
        with suppress(psutil.NoSuchProcess):
            self.samples.append((time.monotonic(), self._process.memory_info().rss / 1e6))
            for child in self._process.children(recursive=True):
                with suppress(OSError, psutil.NoSuchProcess):
                    self.child_mb = max(self.child_mb, _peak_mb(child.pid))

    def figures(self) -> Figures:
        """Return the peak, that of children, and the growth from the middle to the end."""
        half = self.samples[len(self.samples) // 2 :]
        (begin_s, begin), (end_s, end) = half[0], half[-1]
        growth = (end - begin) / (end_s - begin_s) if end_s > begin_s else 0.0
        peak, shared = _peak_mb(self._process.pid), _peak_mb(self._process.pid, 'RssShmem')
        return {
            'peak_mb': peak,
            'shared_mb': shared,
            'child_peak_mb': self.child_mb,
            'growth_mb_s': growth,
        }


def measure(harness: Harness, name: str, *, seconds: float, seed: int, work: Path) -> Figures:
    """
    Run a phase against a node of its own, and return what became of it.

    :raises BenchmarkError: the node, the camera or an attacker failed.
    """
    phase, begin, output = PHASES[name], work / 'begin', work / 'witness.json'
    for path in (begin, output):
        path.unlink(missing_ok=True)
    with ExitStack() as stack:
        node = stack.enter_context(_node(harness, phase, work))
        storms = [
            stack.enter_context(_storm(harness, each, seconds, seed, work))
            for each in phase.storms
        ]
        witness = stack.enter_context(_witness(harness, seconds, work))
        wait_for(node, 'active, ')
        for child in (*storms, witness):
            wait_for(child, 'ready')
        watched = Watched(psutil.Process(node.pid))
        begin.touch()
        while any(child.status() is None for child in (*storms, witness)):
            watched.look()
            time.sleep(POLL_S)
        alive = node.status() is None
        found: Figures = {'died': float(not alive), **(watched.figures() if alive else {})}
        os.kill(node.pid, signal.SIGTERM)
        found['exit_status'] = abs(float(s)) if (s := node.wait(END_S)) is not None else 99.0
        for child in (*storms, witness):
            if child.status():
                raise BenchmarkError(child.explained())
        taken = [json.loads(each.last_words()[-1]) for each in storms]
    return rounded(found | _sums(taken) | _seen(json.loads(output.read_text())))


def _node(harness: Harness, phase: Phase, work: Path) -> Any:
    cameras = {
        'good': {'image_topic': f'{NAMESPACE}/good/image_raw'},
        'raw': {'image_topic': f'{NAMESPACE}/raw/image_raw'},
        'jpeg': {'image_topic': f'{NAMESPACE}/jpeg/image_raw'},
    }
    values = {
        'model': str(MODEL),
        'cameras': list(cameras),
        'autostart': True,
        'save_folder': str(work / 'saved'),
        'use_sim_time': phase.simulated_time,
        'on_bad_stamp': 'arrival' if phase.simulated_time else 'drop',
        **{f'{name}.{key}': value for name, own in cameras.items() for key, value in own.items()},
    }
    flags = ['--ros-args', '-r', f'__ns:={NAMESPACE}', *parameter_flags(values)]
    return harness.running('node', 'edge_perception.ros.main', *flags)


def _storm(harness: Harness, kind: str, seconds: float, seed: int, work: Path) -> Any:
    core = max(os.sched_getaffinity(0))
    order = {'kind': kind, 'core': core, 'seconds': seconds, 'begin': work / 'begin'}
    order |= {'target': NODE, 'model': MODEL, 'folder': work / 'models', 'seed': seed}
    words = json.dumps(order, default=str)
    return harness.running(f'storm_{kind}', 'test.hostile.storms', words, camera=True)


def _witness(harness: Harness, seconds: float, work: Path) -> Any:
    order = {'seconds': seconds, 'begin': work / 'begin', 'output': work / 'witness.json'}
    order |= {'topic': f'{NAMESPACE}/good/image_raw', 'results': f'{NODE}/good/detections'}
    order |= {'status': f'{NODE}: good camera'}
    words = json.dumps(order, default=str)
    return harness.running('witness', 'test.hostile.witness', words, camera=True)


def _sums(taken: Sequence[Mapping[str, float]]) -> Figures:
    """Return what all attackers did together."""
    found = {name: float(sum(each[name] for each in taken)) for name in ('sent', 'cores')}
    found['unanswered'] = float(sum(each['unanswered'] for each in taken))
    return found | {
        name: max(each[name] for each in taken) for name in ('largest_mb', 'slowest_s')
    }


def _seen(seen: Mapping[str, Any]) -> Figures:
    """Return what the camera that behaves saw, and the node reported."""
    shown = [Shown(*values) for values in seen['shown']]
    if seen['callbacks']:
        say(f'  {seen["callbacks"]}')
    return {
        'shown': len(shown),
        'results': len(publish_times(shown)),
        'silence_s': longest_gap_ms(shown) / 1000,
        'accounts': seen['accounts'],
        'unbalanced': len(seen['unbalanced']),
        'callbacks_failed': float(re.match(r'\d*', seen['callbacks'])[0] or 0),  # type: ignore[index]
    }


def limits(figures: Mapping[str, Mapping[str, float]]) -> list[Limit]:
    """Return the bars of all phases."""
    found = []
    for name, own in figures.items():
        most = {'silence_s': MOST_SILENCE_S, 'slowest_s': MOST_ANSWER_S}
        most['peak_mb'] = MOST_MB + 3 * own['largest_mb']
        bars = {each: most[each] for each in PHASES[name].bars}
        bars |= {'cores': MOST_CORES, 'unbalanced': 0.0, 'died': 0.0, 'exit_status': 0.0}
        found += [Limit(f'{name}.{each}', own.get(each, 1e9), most) for each, most in bars.items()]
    return found


def table(figures: Mapping[str, Mapping[str, float]], facts: Mapping[str, Any], order: str) -> str:
    """Return the figures as a section of a document."""
    head = f'{facts["date"][:10]}, {facts["processor"]}, {facts["cores"]} cores, {order}\n\n'
    lines = [
        '| storm | messages | cores | largest | peak RSS | children | growth | longest silence | '
        'slowest answer | reports balanced | bars missed |',
        '|---|---|---|---|---|---|---|---|---|---|---|',
    ]
    for name, own in figures.items():
        silence = '-' if name == 'models' else f'{own["silence_s"]:.2f} s'
        bars = limits({name: own})
        missed = ', '.join(each.name.partition('.')[2] for each in bars if not each.met) or 'none'
        answer = f'{own["slowest_s"]:.2f} s' if own['slowest_s'] else '-'
        lines.append(
            f'| {PHASES[name].says} | {own["sent"]:.0f} | {own["cores"]:.2f} | '
            f'{own["largest_mb"]:.1f} MB | {own["peak_mb"]:.0f} MB | '
            f'{own["child_peak_mb"]:.0f} MB | {own["growth_mb_s"]:+.2f} MB/s | {silence} | '
            f'{answer} | '
            f'{own["accounts"] - own["unbalanced"]:.0f} of {own["accounts"]:.0f} | {missed} |'
        )
    return head + '\n'.join(lines) + '\n'


def main(arguments: Sequence[str]) -> int:
    """Return 1 when a bar was missed or the node could not be measured."""
    parser = argparse.ArgumentParser(prog='python -m test.hostile', description=__doc__)
    parser.add_argument('--phases', nargs='+', choices=list(PHASES), default=list(PHASES))
    parser.add_argument('--seconds', type=float, default=40.0, help='of a phase')
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument('--write', action='store_true', help='put the figures into docs/')
    wanted = parser.parse_args(arguments)
    folder, facts, figures = BUILD / 'hostile', benchmark_facts(), dict[str, Figures]()
    harness, work = Harness(folder), folder / 'work'
    for name in wanted.phases:
        seconds = wanted.seconds * PHASES[name].share
        say(f'{name}: {PHASES[name].says}, {seconds:g} s, seed {wanted.seed}')
        try:
            figures[name] = measure(harness, name, seconds=seconds, seed=wanted.seed, work=work)
        except BenchmarkError as error:
            say(f'error: {name}: {error}')
            return 1
        finally:
            for left in ('models', 'saved'):
                shutil.rmtree(work / left, ignore_errors=True)
    found = limits(figures)
    say('\n'.join(['', *map(str, found)]))
    flat = {f'{name}.{key}': each for name, own in figures.items() for key, each in own.items()}
    bars = [{**asdict(limit), 'met': limit.met} for limit in found]
    values = {'machine': facts, 'seed': wanted.seed, 'figures': flat, 'bars': bars}
    write_report(folder, facts['date'], values)
    if wanted.write:
        text = table(figures, facts, f'seed {wanted.seed}, {wanted.seconds:g} s a storm')
        write_whole(DOCUMENT, BLOCK.sub(lambda m: m[1] + text + m[2], DOCUMENT.read_text()))
        write_whole(RECORD, json.dumps(values, indent=1) + '\n')
    return 0 if all(limit.met for limit in found) else 1


def _peak_mb(pid: int, field: str = 'VmHWM') -> float:
    """Return the largest memory that a process ever had, by the kernel; or another field."""
    status = Path(f'/proc/{pid}/status').read_text()
    kilobytes = re.search(rf'{field}:\s+(\d+)', status)
    return int(kilobytes[1]) * 1024 / 1e6 if kilobytes else 0.0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
