# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Load files that may be damaged or hostile: open them safely, and try them in a child process."""
