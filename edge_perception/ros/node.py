# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: transitions, parameters and diagnostics."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
import time
from traceback import format_exception
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock as RosClock
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle import LifecycleState
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.task import Future

from edge_perception.contract import ConfigurationError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineStateError
from edge_perception.models.assembly import assemble
from edge_perception.models.assembly import Assembled
from edge_perception.models.plugin_host import PluginHost
from edge_perception.ros import announcements
from edge_perception.ros.guard import CallbackGuard
from edge_perception.ros.output import diagnostics
from edge_perception.ros.output.services import Services
from edge_perception.ros.parameters.node_parameters import make_request
from edge_perception.ros.parameters.parameter_service import BoundedParameterService
from edge_perception.ros.parameters.reading import Given
from edge_perception.ros.parameters.reading import Parameters
from edge_perception.ros.session import Session
from edge_perception.ros.system.bond import bond_problem
from edge_perception.ros.system.bond import make_bond
from edge_perception.ros.system.node_logger import NodeLogger
from edge_perception.ros.system.rclpy_versions import ClockType
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.garbage import Collector
from edge_perception.runtime.realtime import Realtime

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR

DIAGNOSTICS_PERIOD_S = 1.0
# How long a callback other than configure may keep the executor before the process ends.
CALLBACK_LIMIT_S = 30.0
# How long a new configure, or the end of the process, waits for an engine that is still busy.
RELEASE_TIMEOUT_S = 5.0


Transition = Callable[['PerceptionNode', LifecycleState], TransitionCallbackReturn]


def _guarded(transition: Transition) -> Transition:
    """Log what is a mistake of ours; rclpy would swallow the exception without a word."""

    @wraps(transition)
    def guarded(node: PerceptionNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            return node.fail_transition(transition.__name__, error)

    return guarded


class PerceptionNode(LifecycleNode):
    """
    Camera topic in, detections out.

    ``configure`` loads and warms up the engine, ``activate`` subscribes, ``deactivate`` keeps the
    engine, ``cleanup`` frees it. All callbacks run in one executor thread and none of them waits
    for the engine, except ``configure``, which may take seconds.

    :param host: plugins; None stands for those installed.
    :param collector: of a process that has nothing but this node in it; None leaves the garbage
        collector as it is.
    :param clock: monotonic nanoseconds.
    :param node_arguments: for the constructor of the node of rclpy.
    """

    def __init__(
        self,
        *,
        host: PluginHost | None = None,
        collector: Collector | None = None,
        clock: Clock = time.monotonic_ns,
        **node_arguments: Any,
    ) -> None:
        super().__init__('perception', start_parameter_services=False, **node_arguments)
        self._parameter_services = BoundedParameterService(self)
        self._host = host or PluginHost()
        self._monotonic = clock
        self._collector = collector
        self._realtime = Realtime()
        self._declared = Parameters(self, engines=self._host.engines, stages=self._host.stages)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.guard = CallbackGuard(self.get_logger().error)
        self._bond: Any = None
        self._wants_bond = False
        self._session: Session | None = None
        self._closing: Session | None = None
        self._trouble = self._death = ''
        self._engine_died = False
        self._active = self._configuring = False
        self._namesakes = announcements.Namesakes(self)
        self._engine_limit_s = 0.0
        self._configure_limit_s = float('inf')
        # Set with the exit status of the process when the node has come to its end.
        self.finished: Future = Future()
        self._give_up_signal = self.create_guard_condition(self._on_give_up)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._offers = Services(self, session=lambda: self._session, clock=clock)
        # A steady clock, so that paused simulation time does not silence the diagnostics.
        self._steady_clock = RosClock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(
            DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=self._steady_clock
        )

    @property
    def callback_limit_s(self) -> float:
        """How long the callback at work may take, seconds. Thread: any."""
        return self._configure_limit_s if self._configuring else CALLBACK_LIMIT_S

    def report_busy(self, seconds: float) -> None:
        """Publish that the executor is at work for long. Thread: the watchdog's."""
        what = 'configure' if self._configuring else 'a callback'
        status = diagnostics.busy(self.get_fully_qualified_name(), what, seconds)
        self._diagnostics.publish(diagnostics.array(self.get_clock().now().to_msg(), [status]))

    @property
    def session(self) -> Session | None:
        """What is configured; None when nothing is."""
        return self._session

    def get_logger(self) -> Any:
        """Return the log of the node, which escapes control characters. Thread: any."""
        return NodeLogger(super().get_logger())

    def autostart(self) -> None:
        """Configure and activate when the parameter ``autostart`` says so."""
        name = self.get_fully_qualified_name()
        if not self.get_parameter('autostart').value:
            announcements.waiting(self, self._declared)
            return
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()
        elif self.context.ok():
            self.get_logger().error(
                'autostart: the node stays unconfigured; correct the parameters and call '
                f'ros2 lifecycle set {name} configure, or start it again'
            )

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Set parameters; an unknown name is refused in words, where rclpy raises."""
        problems = [self._declared.refusal(each) for each in parameter_list]
        if reason := '; '.join(filter(None, problems)):
            return SetParametersResult(successful=False, reason=reason)
        return super().set_parameters_atomically(parameter_list)

    def describe_parameter(self, name: str) -> ParameterDescriptor:
        """Return the descriptor of a parameter with its type and range, for the tools of ROS."""
        return self._declared.describe(super().describe_parameter(name))

    @_guarded
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Validate everything, load the model, warm the engine up."""
        self._trouble = ''
        self._engine_died = False
        self._configuring = True
        try:
            self._session = self._make_session()
        except EdgePerceptionError as error:
            for code, sentence in error.sentences():
                self.get_logger().error(f'configure [{code}]: {sentence}')
            self._trouble = str(error)
            self._realtime.restore()
            return FAILURE
        finally:
            self._configuring = False
        return SUCCESS

    @_guarded
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        session = self._session
        assert session is not None
        if session.ended:
            self._die()  # while it was inactive, and nobody was there to be told
            return ERROR
        self._death = ''  # failures of the activation before count no more
        session.activate()
        self._active = True
        if self._wants_bond:
            self._bond = make_bond(self)
        words = '; '.join(camera.input.describe() for camera in session.cameras)
        self.get_logger().info(f'active, {words}')
        return SUCCESS

    @_guarded
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and keep the engine."""
        self._active = False
        self._break_bond()
        if self._session is not None:
            self._session.deactivate()
        if self._engine_died:
            return ERROR
        self.get_logger().info('inactive, no images are subscribed to; the engine stays loaded')
        return SUCCESS

    @_guarded
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engine, as soon as it is idle."""
        self._trouble = ''
        self._release()
        return SUCCESS

    @_guarded
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """
        Free everything and stay finalized until a signal, as the nodes of Nav2 do.

        A process that ended would be started again by launch.
        """
        self._release()
        self.get_logger().info('finalized; a signal ends the process')
        return SUCCESS

    @_guarded
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; a dead engine ends the process, so that respawn can take over."""
        if self._engine_died:
            self._finish(1)
        self._release()
        self._publish_diagnostics()
        return FAILURE if self._engine_died else SUCCESS

    def fail_transition(self, name: str, error: Exception) -> TransitionCallbackReturn:
        """Remember and log a mistake of ours in a transition."""
        if not self.context.ok():
            return ERROR  # a signal came in the middle of it
        self.get_logger().error(f'{name} failed: {"".join(format_exception(error))}')
        self._trouble = f'{name} failed: {error}'
        return ERROR

    def destroy_node(self) -> None:
        """Free everything, then the node; waits a little for a busy engine."""
        self._release()
        if self._closing is not None and not self._closing.join(RELEASE_TIMEOUT_S):
            self.get_logger().warning('the engine is still busy and is left behind')
        self._closing = None
        super().destroy_node()

    def _make_session(self) -> Session:
        if self._closing is not None and not self._closing.join(RELEASE_TIMEOUT_S):
            raise EngineStateError(
                'the engine of the last configuration is still busy; try again later, or end the '
                'process'
            )
        self._closing = None
        announcements.unusable_plugins(self, self._host)
        given = self._declared.read()
        self._engine_limit_s = given.config.engine_timeout_s
        self._configure_limit_s = given.config.configure_timeout_s or float('inf')
        config, problems = given.config, given.problems
        problems += filter(None, [bond_problem(config.bond)])
        self._wants_bond = config.bond
        # Before the threads of the engine and of the worker exist, which inherit it.
        problems += self._realtime.apply(
            cpu_affinity=config.cpu_affinity,
            realtime_priority=config.realtime_priority,
            lock_memory=config.lock_memory,
        )
        self.get_logger().info(f'configuring: model {config.model!r}, engine {config.engine!r}')
        assembled = assemble(
            self._host,
            make_request(config, given.engine_options, given.stage_options),
            found=[ConfigurationError('parameter', problems)] if problems else [],
            clock=self._monotonic,
        )
        return self._open_session(assembled, given)

    def _open_session(self, assembled: Assembled, given: Given) -> Session:
        """Put an engine to work; whatever fails, it is freed."""
        try:
            session = Session(
                self,
                config=given.config,
                cameras=given.cameras,
                assembled=assembled,
                give_up=self._give_up,
                idle=self._collector.idle if self._collector else lambda: None,
                clock=self._monotonic,
            )
        except BaseException:
            assembled.pipeline.engine.deactivate()
            raise
        try:
            session.prepare(given.cameras, given.debug)()
            announcements.configured(self, assembled, session, given.config)
            if self._collector is not None:
                self._collector.take_over()
        except BaseException:
            session.close()
            raise
        return session

    def _break_bond(self) -> None:
        bond, self._bond = self._bond, None
        if bond is not None:
            bond.shutdown()

    def _release(self) -> None:
        """Close the session; its worker frees the engine when it is idle."""
        self._active = False
        self._break_bond()
        if self._session is not None:
            self._closing, self._session = self._session, None
            self._closing.close()
            if self._collector is not None:
                self._collector.give_back()
        self._realtime.restore()

    def _give_up(self, sentence: str) -> None:
        """Remember that the engine died. Thread: the worker's."""
        self._death = sentence
        self._give_up_signal.trigger()

    def _end_if_hung(self, busy_s: float) -> None:
        if 0 < self._engine_limit_s < busy_s and not self.finished.done():
            self._death = f'the engine has been busy with one frame for {busy_s:.0f} s'
            if self._active:
                self._give_up_signal.trigger()
            else:  # nothing was asked of it any more, but it cannot be configured again either
                self._die()
                self._finish(1)

    def _on_give_up(self) -> None:
        if self._active and self._death:
            self._die()
            self.trigger_deactivate()
        elif self._session is not None and self._session.ended:
            self._trouble = self._death  # to be seen until the next activation ends the node

    def _die(self) -> None:
        self._trouble = self._death
        self.get_logger().error(f'{self._trouble}; the node ends, so that it can be respawned')
        self._engine_died = True

    def _finish(self, status: int) -> None:
        if not self.finished.done():
            self.finished.set_result(status)

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        problems = [self._declared.check(each.name, each.value) for each in parameters]
        reason = '; '.join(problem for problem in problems if problem)
        if not reason and self._session is not None:
            reason = self._apply(self._session, {each.name: each.value for each in parameters})
        return SetParametersResult(successful=not reason, reason=reason)

    def _apply(self, session: Session, values: dict[str, Any]) -> str:
        """Make parameters take effect, or return why not one of them does."""
        # Of the cameras that there are; others are there with the next configure.
        names = [camera.name for camera in session.cameras]
        given = self._declared.read(values, cameras=names)
        try:
            take_effect = session.prepare(given.cameras, given.debug)
        except EdgePerceptionError as error:
            return '; '.join(sentence for _, sentence in error.sentences())
        take_effect()
        # One that is not there yet is being declared, not set by a user.
        later = [name for name in values if self.has_parameter(name) and self._declared.late(name)]
        if later:
            self.get_logger().info(f'{", ".join(later)}: takes effect with the next configure')
        return ''

    def _publish_diagnostics(self) -> None:
        if self._collector is not None:
            self._collector.overdue()
        if self._session is not None:
            self._session.check()
            self._end_if_hung(self._session.busy_s)
        stamp = self.get_clock().now().to_msg()
        statuses = diagnostics.statuses(
            self.get_fully_qualified_name(), session=self._session, trouble=self._trouble
        )
        statuses += diagnostics.failed_callbacks(self.get_fully_qualified_name(), self.guard)
        statuses += diagnostics.namesakes(self.get_fully_qualified_name(), self._namesakes.look())
        self._diagnostics.publish(diagnostics.array(stamp, statuses))
