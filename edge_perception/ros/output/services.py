# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The services of the node: switch perception on and off, keep a frame."""

from __future__ import annotations

from collections.abc import Callable
import threading

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool
from std_srvs.srv import Trigger

from edge_perception.contract.errors import in_words
from edge_perception.ros.output.saved_frame import save
from edge_perception.ros.session import Session
from edge_perception.runtime.budget import age_in_words
from edge_perception.runtime.budget import Clock


class Services:
    """
    Callbacks run in the thread of the executor and do not wait; files are written by another.

    :param session: returns what is configured, or None.
    :param clock: monotonic nanoseconds, the one that the session counts ages with.
    """

    def __init__(self, node: Node, *, session: Callable[[], Session | None], clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._session = session
        # Of a frame that is being written; one at a time, so that they cannot fill the memory.
        self._saving = False
        node.create_service(SetBool, '~/enable', self._enable)
        # In a group of its own: while it is awaited, the others of a group may not run.
        node.create_service(
            Trigger, '~/save_frame', self._save_frame, callback_group=ReentrantCallbackGroup()
        )

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        session = self._session()
        if session is None or not session.active:
            response.message = 'the node is not active; activate it first'
            return response
        response.success = True
        response.message = 'perception is ' + ('on' if request.data else 'off')
        if request.data != session.enabled:
            self._node.get_logger().info(f'{response.message}, switched by ~/enable')
        session.enable(request.data)
        return response

    async def _save_frame(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        session = self._session()
        cameras = [] if session is None else session.cameras
        manifest = None if session is None else session.model.manifest
        last = {each.name: each.last for each in cameras if each.last is not None}
        if manifest is None or not last:
            response.message = 'there is no frame yet; activate the node and wait for an image'
            return response
        if self._saving:
            response.message = 'a frame is being written; ask again when it is'
            return response
        folder = str(self._node.get_parameter('save_folder').value)
        executor = self._node.executor
        assert executor is not None  # it is what runs this
        done: Future = Future(executor=executor)

        def work() -> None:
            try:
                saved = []
                for name, (deadline, result) in last.items():
                    age = age_in_words(deadline.age_ns(self._clock()))
                    paths = save(result, folder=folder, camera=name, manifest=manifest)
                    saved.append(f'{paths[0]} and {paths[1]}, of a frame that is {age} old')
                done.set_result((True, '; '.join(saved)))
            except Exception as error:  # e.g. a folder that may not be written, or a full disk
                done.set_result((False, f'the frame could not be saved: {in_words(error)}'))
            # A future that is done does not by itself end the wait of the executor.
            executor.wake()

        self._saving = True
        try:
            threading.Thread(target=work, name='save_frame', daemon=True).start()
            response.success, response.message = await done  # type: ignore[misc]
        finally:
            self._saving = False
        return response
