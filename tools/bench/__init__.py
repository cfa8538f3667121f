# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What the node adds to the network: the benchmark of ``make bench``.

Three things are measured in turns, so that a machine that changes its mind hits all alike:

* ``bare``: preprocess, infer and decode in a loop without ROS, at the rate of the camera;
* ``node``: publish to received detections, with the node as users run it;
* ``echo``: the same with a node that answers without inference, which is the floor of ROS.
"""
