# `make` without a word says what there is. Nothing is needed but Python >= 3.11, make and git
# (and Go, where the Kubernetes control plane of the tests can't be downloaded).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help python setup assets demo demo-down observe test test-kills chaos lint crds lock bench-control bench-watch bench-events bench-move bench-brain bench-console bench-scale image e2e clean

BIN := .venv/bin
RUN := PYTHONPATH=operator:tools:. $(BIN)/python
# the first Python that is new enough and can make environments; `make PYTHON=…` overrides
CANDIDATES := python3 python3.13 python3.12 python3.11 python3.14 python
ifndef PYTHON
PYTHON := $(shell for p in $(CANDIDATES); do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	>/dev/null 2>&1 && { echo "$$p"; break; }; done)
endif

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

python:
	@if [ -z "$(PYTHON)" ]; then \
	  for p in $(CANDIDATES); do \
	    "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && found=yes; done; \
	  if [ -z "$${found:-}" ]; then \
	    echo "error: no Python 3.11 or newer on PATH (python3 is: $$(python3 -V 2>&1 || true)). Install one, or say where it is: make PYTHON=/path/to/python3.12 …" >&2; \
	  else \
	    echo "error: Python is new enough but lacks its venv and ensurepip modules. On Debian and Ubuntu: apt install python3-venv" >&2; fi; \
	  exit 1; fi

setup: python ## Make .venv from the lock file (a minute once, then under a second)
	@"$(PYTHON)" tools/cloudflux_dev/bootstrap.py

# before the environment: what is missing here is said at once
assets: python ## Find, download or build etcd, kube-apiserver and kubectl
	@echo "Kubernetes control plane (at once; 10 s to download or up to 10 minutes to build, once per machine):"
	@PYTHONPATH=tools "$(PYTHON)" -m cloudflux_dev.assets

demo: assets setup ## Watch the operator save money on a real Kubernetes API
	@$(RUN) -m cloudflux_dev.demo up

demo-down: ## End what the demo left running
	@if [ -x $(BIN)/python ]; then $(RUN) -m cloudflux_dev.demo down; else echo "No demo is running."; fi

observe: assets setup ## Operator, Kafka, Prometheus and Alertmanager under load, to look at; Ctrl-C ends it
	@$(RUN) -m cloudflux_dev.observe

test: assets setup ## Everything that must hold before a change is merged
	@$(RUN) -m cloudflux_dev.check

test-kills: assets setup ## Kill the operator at every step of a job (10 minutes)
	@$(RUN) -m pytest -m exhaustive tests

chaos: setup ## Move through 600 runs of injected faults (15 minutes; CLOUDFLUX_CHAOS=SEED:RUN repeats one)
	@PYTHONPATH=tools $(BIN)/python -m cloudflux_dev.parts minio versitygw azurite-blob fake-gcs-server \
	  toxiproxy-server || echo "what is missing is left out"
	@$(RUN) -m tests.chaos

lint: setup ## Style, types and layers
	@$(RUN) -m cloudflux_dev.check lint

crds: setup ## Generate crds/ and docs/reference from the models
	@$(RUN) -m cloudflux.api.generate
	@$(RUN) -m cloudflux_dev.reference

lock: setup ## Resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links -c requirements.lock pyproject.toml \
	  -o requirements-runtime.lock

bench-control: assets setup ## Measure the control process (10 minutes)
	@$(RUN) -m benchmarks.bench_control

bench-watch: assets setup ## Measure kopf's settings for watching (5 minutes)
	@$(RUN) -m benchmarks.bench_watch

image: setup ## Build the image with docker, podman or buildah (a few minutes; BASE, BUILDER: other bases)
	@$(RUN) -m cloudflux_dev.image

e2e: assets setup ## Run the product as pods on a real node in namespaces of its own (needs root)
	@$(RUN) -m cloudflux_dev.e2e $(E2E)

bench-scale: setup ## Measure 1, 2 and 4 workers on 20,000 objects (minutes)
	@PYTHONPATH=tools $(BIN)/python -m cloudflux_dev.parts minio
	@$(RUN) -m benchmarks.bench_scale

bench-events: setup ## Measure events out and access events in, on a real Kafka (3 minutes)
	@$(RUN) -m benchmarks.bench_events

bench-move: setup ## Measure moves against rclone and s5cmd (25 minutes; CLOUDFLUX_BENCH_CASES, CLOUDFLUX_BENCH_SCALE)
	@PYTHONPATH=tools $(BIN)/python -m cloudflux_dev.parts minio rclone s5cmd azurite-blob fake-gcs-server
	@$(RUN) -m benchmarks.bench_move

bench-console: setup ## Measure the live stream with fifty clients (1 minute; CLOUDFLUX_BENCH_SECONDS=3600: an hour)
	@$(RUN) -m benchmarks.bench_console

bench-brain: setup ## Measure the deciding; CLOUDFLUX_TRACES names recorded traces (20 minutes)
	@$(RUN) -m benchmarks.bench_brain

clean: demo-down ## Remove what make made here
	rm -rf .venv .demo .observe .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
