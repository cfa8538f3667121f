# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Log what the node waits for, what it was configured with, and what it cannot use."""

from __future__ import annotations

from rclpy.node import Node

from edge_perception.models.assembly import Assembled
from edge_perception.models.plugin_host import PluginHost
from edge_perception.pose import object_width
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.ros.parameters.reading import Parameters
from edge_perception.ros.session import Session
from edge_perception.ros.system.endpoints import namesakes


def waiting(node: Node, declared: Parameters) -> None:
    """Log what an unconfigured node waits for, and what ``configure`` is going to complain of."""
    log, name = node.get_logger(), node.get_fully_qualified_name()
    misspelled, foreign = declared.unknown()
    for sentence in (*misspelled, *foreign):
        log.warning(sentence)
    model = node.get_parameter('model').value
    heading = f'{name.removeprefix("/")}: or /**:'
    nothing = f'no model was given; is the parameter file headed {heading}?'
    words = f'model {model!r}' if model else nothing
    log.info(
        f'unconfigured ({words}); waiting for a lifecycle manager, for ros2 lifecycle set '
        f'{name} configure, or start with the parameter autostart'
    )


def configured(node: Node, assembled: Assembled, session: Session, config: NodeConfig) -> None:
    """Log what was loaded, and warn of what will not work as asked."""
    log, manifest = node.get_logger(), assembled.model.manifest
    for sentence in assembled.passed_over:
        log.info(f'engine auto: {sentence}')
    budgets = (f'{each.name} {each.budget_ms:g} ms'.strip() for each in session.cameras)
    width = object_width(manifest)
    size = f', object {width:.4g} m wide' if width else ''
    where = ', '.join(filter(None, (assembled.runtime, assembled.pipeline.engine.device)))
    log.info(
        f'configured: model {manifest.name} from {assembled.model.folder.absolute()}{size}, '
        f'engine {assembled.engine} ({where}) with {assembled.artifact.path.name}, '
        f'budget {", ".join(budgets)}'
    )
    for camera in session.cameras:
        if problem := camera.budget_problem:
            log.warning(f'{camera.input.topic}: {problem}')
    if config.publish_tf and 'poses' not in assembled.pipeline.tasks:
        log.warning(f'publish_tf: has no effect, the model {manifest.name} gives no poses')
    for warning in assembled.warnings():
        log.warning(warning)


def unusable_plugins(node: Node, host: PluginHost) -> None:
    """Warn of each plugin that cannot be used, with the reason and the remedy."""
    for entry in host.plugins:
        if not entry.usable and not entry.blocked:
            node.get_logger().warning(
                f'plugin {entry.name} of {entry.distribution}: {entry.reason}; {entry.remedy}'
            )


class Namesakes:
    """Look for other nodes of the same name, with every diagnostics. Thread: the executor's."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._looks = 0

    def look(self) -> str:
        """Return in words that nodes have the same name; log it once."""
        words = namesakes(self._node, self._node.get_fully_qualified_name())
        # The second time: while nodes come and go, the graph may name one twice.
        self._looks = self._looks + 1 if words else 0
        if self._looks == 2:
            self._node.get_logger().warning(words)
        return words if self._looks >= 2 else ''
