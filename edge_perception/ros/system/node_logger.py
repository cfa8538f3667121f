# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The log of a node, in which control characters of models and messages are escaped."""

from __future__ import annotations

from typing import Any

from edge_perception.contract.errors import printable


class NodeLogger:
    """
    A logger of rclpy that escapes control characters; line feeds stay. Thread: any.

    :param logger: of rclpy; it tells calls apart by their lines, so each level has one of its own.
    """

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)

    def debug(self, message: str, **options: Any) -> bool:
        """Log what only a developer wants to know."""
        return bool(self._logger.debug(printable(message, lines=True), **options))

    def info(self, message: str, **options: Any) -> bool:
        """Log what happened."""
        return bool(self._logger.info(printable(message, lines=True), **options))

    def warning(self, message: str, **options: Any) -> bool:
        """Log what is probably wrong."""
        return bool(self._logger.warning(printable(message, lines=True), **options))

    def error(self, message: str, **options: Any) -> bool:
        """Log what failed."""
        return bool(self._logger.error(printable(message, lines=True), **options))
