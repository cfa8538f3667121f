# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The error that refuses a model for its signature."""

from __future__ import annotations

from edge_perception.contract.errors import EdgePerceptionError


class SignatureError(EdgePerceptionError):
    """
    A model is not signed by who may decide what the vehicle sees, or was changed since.

    :param code: what is wrong, one of ``codes``.
    :param path: the file or folder.
    :param reason: what is the matter with it.
    """

    code = 'signature_wrong'
    codes = (
        *('signature_missing', 'signature_wrong', 'key_unknown', 'key_revoked'),
        *('file_changed', 'file_extra', 'file_missing', 'version_rolled_back'),
    )

    def __init__(self, code: str, path: object, reason: str) -> None:
        self.path = path
        self.reason = reason
        self.code = code  # type: ignore[misc]
        super().__init__(f'{path}: {reason}')
