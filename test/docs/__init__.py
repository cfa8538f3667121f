# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the documentation share."""
