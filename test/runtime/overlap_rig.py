# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A worker whose images say in their pixels who they are, and whose results say it again."""

from __future__ import annotations

from collections import Counter
from itertools import count
import threading

import numpy as np

from edge_perception.contract import Classes
from edge_perception.contract import Decoder
from edge_perception.contract import Engine
from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import TensorSpec
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.camera_channel import CameraHooks
from edge_perception.runtime.camera_channel import CameraPolicy
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.runtime.throughput.batching import Batching
from edge_perception.runtime.worker import Worker
from edge_perception.testing import FakeClock
from test.runtime.worker_rig import Message
from test.runtime.worker_rig import PATIENCE_S

NAMED = ModelManifest(
    name='named',
    source='net.onnx',
    decoder='named',
    input=InputRecipe(width=8, height=8, resize='stretch', dtype='uint8', color='bgr'),
)
AHEAD = 'perception_ahead'


def number_in(pixels) -> int:
    """Return the number that every pixel says; all have to say the same."""
    colors = np.unique(pixels.reshape(3, -1), axis=1)
    assert colors.shape == (3, 1), 'pixels of several images'
    return int(colors[:, 0] @ [1, 256, 65536])


class NamedEngine(Engine):
    """Gives the number of the image, in memory that it writes again at each call."""

    def __init__(self, rig: OverlapRig) -> None:
        shape = NAMED.input.shape
        super().__init__(
            inputs=(TensorSpec('image', shape, np.dtype(np.uint8)),),
            outputs=(TensorSpec('number', (1, 1), np.dtype(np.int64)),),
            batches=(1, 2, 3, 4),
        )
        self._rig = rig
        self._output = np.zeros((4, 1), np.int64)
        self.sizes: Counter[int] = Counter()
        self.threads: set[str] = set()

    def _activate(self) -> None:
        pass

    def _input_buffers(self):
        self.threads.add(threading.current_thread().name)
        return super()._input_buffers()

    def _infer(self, tensors):
        self.threads.add(threading.current_thread().name)
        numbers = [number_in(image) for image in tensors['image']]
        self.sizes[len(numbers)] += 1
        self._output[...] = -1
        for number in numbers:
            self._rig.at(number, 'infer')
        again = [number_in(image) for image in tensors['image']]
        assert again == numbers, 'written while it was read'
        self._output[: len(numbers), 0] = numbers
        return {'number': self._output[: len(numbers)]}


class NamedDecoder(Decoder):
    """Reports the number as a class."""

    name = 'named'
    tasks = frozenset({'classes'})
    rig: OverlapRig

    def _decode(self, tensors, transform, selection) -> Perception:
        number = int(tensors['number'][0, 0])
        self.rig.at(number, 'decode')
        assert int(tensors['number'][0, 0]) == number
        return Perception(
            classes=Classes(class_id=np.array([number], np.int32), score=np.ones(1, np.float32))
        )


class OverlapRig:
    """
    A running worker with cameras, whose first frame has passed; a context manager that ends it.

    :param overlap: of the worker; ``batching`` too.
    """

    def __init__(
        self,
        *cameras: str,
        clock: Clock | None = None,
        overlap: str = 'on',
        batching: Batching | None = None,
        max_engine_failures: int = 5,
    ) -> None:
        self.changed = threading.Condition()
        self.clock = clock or FakeClock()
        self.messages: dict[int, Message] = {}
        # What each result says it is, by camera, and who prepared and published how many.
        self.published: dict[str, list[int]] = {name: [] for name in cameras}
        self.threads: dict[str, int] = {}
        self.gave_up: list[str] = []
        self._numbers = count(1)
        self.engine = NamedEngine(self)
        self.engine.activate()
        self.channels = {name: self._make_channel(name) for name in cameras}
        self.worker: Worker[int] = Worker(
            self.engine,
            list(self.channels.values()),
            give_up=self.gave_up.append,
            max_engine_failures=max_engine_failures,
            idle=self._tell,
            clock=self.clock,
            overlap=overlap,
            batching=batching,
        )
        self.worker.start()
        self.worker.resume()

    def __enter__(self) -> OverlapRig:
        self.send()
        self.until_idle()
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.stop()
        assert self.worker.join(PATIENCE_S)
        for channel in self.channels.values():
            assert channel.accounts.counts().in_flight == 0

    def send(self, message: Message | None = None, *, camera: str = '') -> int:
        """Hand in an image; returns its number."""
        number = next(self._numbers)
        if message is not None:
            self.messages[number] = message
        channel = self.channels[camera or next(iter(self.channels))]
        channel.accounts.receive()
        self.worker.submit(channel, number, Deadline(self.clock(), 0, 0))
        return number

    def at(self, number: int, stage: str) -> None:
        """Do what the message says for a stage."""
        if number in self.messages:
            getattr(self.messages[number], stage)()

    def until(self, condition) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S), self.published

    def until_idle(self) -> None:
        accounts = [channel.accounts for channel in self.channels.values()]
        self.until(lambda: not any(each.counts().in_flight for each in accounts))

    def dropped(self, camera: str = '') -> dict[str, int]:
        channel = self.channels[camera or next(iter(self.channels))]
        return {name: n for name, n in channel.accounts.counts().dropped.items() if n}

    def _make_channel(self, name: str) -> CameraChannel[int]:
        decoder = NamedDecoder(NAMED, outputs=self.engine.outputs, options=Options())
        decoder.rig = self
        pipeline = Pipeline(
            self.engine,
            decoder=decoder,
            preprocessor=Preprocessor(NAMED.input, spec=self.engine.inputs[0]),
            input_name='image',
            clock=self.clock,
        )
        channel: CameraChannel[int] = CameraChannel(
            name,
            pipeline,
            hooks=CameraHooks(
                convert=self._convert,
                compose=lambda queued, result: lambda: self._publish(queued, result),
                report=lambda *_: None,
                afterwards=lambda *_: None,
            ),
            selection=Selection(),
            policy=CameraPolicy(),
            clock=self.clock,
        )
        for what in ('publish', 'drop'):
            count_it = getattr(channel.accounts, what)
            setattr(channel.accounts, what, lambda *a, f=count_it, **k: (f(*a, **k), self._tell()))
        return channel

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _convert(self, number: int) -> Frame:
        who = threading.current_thread().name
        self.threads[who] = self.threads.get(who, 0) + 1
        self.at(number, 'convert')
        self._tell()
        # Of another size each time, so that nothing of the image before is used.
        image = np.empty((8 + number % 3, 8 + number % 5, 3), np.uint8)
        image[...] = number & 255, number >> 8 & 255, number >> 16
        return Frame(image)

    def _publish(self, queued, result) -> None:
        assert result.perception.classes.class_id.tolist() == [queued.message]
        assert (result.frame.height, result.frame.width) == (
            *(8 + queued.message % 3, 8 + queued.message % 5),
        )
        self.at(queued.message, 'deliver')
        self.published[queued.camera].append(queued.message)
