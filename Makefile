# The Python that .venv is made with; a sourced ROS distribution brings its own.
PYTHON ?= python3
# For pytest, as in: make test ARGS='-k letterbox'
ARGS ?=

.PHONY: help test lint test-matrix test-gazebo test-families test-hostile test-landing bench bench-latency demo clean

help:  ## Show this list
	@sed -n 's/^\([.a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

test: .venv  ## Prepare .venv and run the tests; ARGS goes to pytest, as -n 0 for one process
	@.venv/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: .venv  ## Check style and types
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy

test-matrix: .venv  ## Run the tests with other versions of ROS, Python, NumPy and OpenCV
	@.venv/bin/python -m nox -- $(ARGS)

test-gazebo: .venv  ## Fly in real Gazebo; made on the first call where there is none
	@EDGE_PERCEPTION_TEST_GAZEBO=1 .venv/bin/python -m pytest test/gazebo $(ARGS)

test-families: .venv  ## Compare with Ultralytics on its own exports; makes an environment of 1.6 GB
	@test -x build/families/bin/python || $(PYTHON) -m venv build/families
	@build/families/bin/pip install -q torch torchvision ultralytics onnx onnxruntime onnxslim
	@mkdir -p build/families/exports
	@build/families/bin/python test/families/exporter.py build/families/exports
	@EDGE_PERCEPTION_TEST_FAMILIES='$(CURDIR)/build/families/exports' .venv/bin/python -m pytest test/families $(ARGS)

test-hostile: .venv  ## Attack the node for 10 minutes; ARGS as in ARGS='--phases images --seed 1'
	@.venv/bin/python -m test.hostile $(ARGS)

test-landing: .venv  ## Land 200 times and dock 20 times, simulated; ARGS as in ARGS='--runs 10'
	@.venv/bin/python -m tools.landing $(ARGS)

bench: .venv  ## Measure what the node adds to the network; ARGS as in ARGS='--rounds 1'
	@.venv/bin/python -m tools.benchmark node $(ARGS)

bench-latency: .venv  ## Measure the latency contract; ARGS as in ARGS='--scenarios overload --seconds 10'
	@.venv/bin/python -m tools.benchmark contract $(ARGS)

demo: .venv  ## Land on the pad, live; yours: MODEL=, and IMAGE=, VIDEO= or CAMERA=0
	@.venv/bin/edge-perception demo $(if $(MODEL),--model '$(MODEL)') \
		$(if $(IMAGE),--image '$(IMAGE)') $(if $(VIDEO),--video '$(VIDEO)') \
		$(if $(CAMERA),--camera '$(CAMERA)') $(ARGS)

clean:  ## Remove all that these commands made
	rm -rf .venv .venv.previous build install log .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Looks into .venv every time, and is done in a moment where nothing has changed.
.PHONY: .venv
.venv:  ## Make or update the environment
	@$(PYTHON) -m tools.environment
