# Needs: Python 3.11, make, and a Python package index. Everything else goes into .venv. The pinned packages have wheels for
# 3.12 and 3.13 too (make PYTHON=python3.12), but only 3.11 is run.
PYTHON ?= python3.11
BIN := .venv/bin

# Names and tags of images, as the manifests have them.
CLUSTER_ENV := manifests/components/cluster-settings/cluster.env
include $(CLUSTER_ENV)
# What `make images` builds from and how; BASE_IMAGE=python:3.11-slim-bookworm@sha256:... pins the base.
DOCKER ?= docker
BASE_IMAGE ?= python:3.11-slim-bookworm
DOCKER_BUILD_OPTIONS ?=
DEVICE ?= cpu
# On ordinary PyPI torch is the CUDA build, with 4 GB of CUDA libraries. This index has the CPU build under a higher local
# version; an index that does not answer is left out by pip after some retries. Empty for your own index.
TORCH_PIP_OPTIONS ?= $(if $(filter cpu,$(DEVICE)),--extra-index-url https://download.pytorch.org/whl/cpu)
# PLATFORMS=linux/amd64,linux/arm64 builds for each of them with buildx and pushes the result, as Docker keeps one only.
PLATFORMS ?=
VERSION := $(shell sed -n 's/^version = //p' setup.cfg)
BUILD = $(DOCKER) $(if $(PLATFORMS),buildx build --push --platform $(PLATFORMS),build) $(DOCKER_BUILD_OPTIONS) \
	--build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD)
BUILT_COMPONENT := $(if $(filter cuda,$(DEVICE)),$(COMPONENT_IMAGE_CUDA),$(COMPONENT_IMAGE))

PYTEST := $(BIN)/python -m pytest
# A file on a worker, in the order of tests/conftest.py: slow files first. By itself xdist begins with the files of many
# tests, and the whole loop, which is few, would come last.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder
# What `make test-quick` leaves out beside slow tests: files that start servers,
# make a registry for each test, or run the command line as a process.
NOT_QUICK := tests/images tests/manifests tests/pipelines/cli tests/pipelines/execution \
	tests/components/attack_generation/test_readme.py tests/components/attack_generation/test_victims.py \
	tests/components/canary_rollout/measuring/test_measurer.py tests/components/canary_rollout/measuring/test_probes.py \
	tests/components/metrics_exporter tests/components/predictor tests/components/promotion tests/components/registry \
	tests/components/shared/storage tests/components/shared/mlflow_tracking \
	tests/components/qlora_training/test_training.py tests/test_doors.py

# What `make test-cluster` runs, one after the other. `make test` with KUBECONFIG runs these and all other rollouts.
CLUSTER_TESTS := tests/manifests/test_cluster.py tests/manifests/node/test_gpu_pods.py \
	tests/components/canary_rollout/on_a_cluster/test_good_challengers.py \
	tests/components/canary_rollout/on_a_cluster/test_real_knative.py tests/manifests/node/test_first_hour.py

.PHONY: help install arena arena-ko test test-quick test-cluster coverage lint types format bench node-clients triton-client images image-list wheel clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## Make .venv with everything a developer needs

.venv/.installed: setup.cfg setup.py pyproject.toml constraints.txt
	@echo "Installing into .venv: about 3 GB, torch the largest part; a few minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

arena: install ## Run the whole loop once: attack, label, train, evaluate, promote
	$(BIN)/arena run

arena-ko: install ## The same in Korean, with a home of its own: .arena-ko
	ARENA_HOME=$(CURDIR)/.arena-ko $(BIN)/arena run --lang ko

test: install ## Run every test, a file on one core at a time; under 10 minutes on two cores
	$(PYTEST) $(PARALLEL)

test-quick: install ## Run the tests that need no server, registry or training; under 2 minutes
	$(PYTEST) $(PARALLEL) -m "not slow" $(addprefix --ignore=,$(NOT_QUICK))

test-cluster: install ## Run what the cluster of KUBECONFIG can show; CONTENT_ARENA_TEST_NODE=1 uses its node
	$(PYTEST) --numprocesses 0 $(CLUSTER_TESTS)

coverage: install ## Run every test and report what it covers, as text and in build/coverage/html
	@mkdir -p build/coverage
	$(PYTEST) $(PARALLEL) --cov --cov-report=term --cov-report=html

lint: install types ## Check style, types and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/actionlint

types: install ## Check types
	@# The import name is content_arena.components, the folder is components: the type checker goes by folders.
	@mkdir -p build/types/content_arena
	@ln -sfn ../../../components build/types/content_arena/components
	@ln -sfn ../../../pipelines build/types/content_arena/pipelines
	$(BIN)/mypy

format: install ## Correct style where ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: install ## Build the wheel into dist/
	@# setuptools would put modules into it that an earlier build left there.
	@rm -rf build/lib build/bdist.*
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

node-clients: ## Install the clients from npm that tests run on Node.js, 250 MB (needs npm)
	npm ci --prefix tests/components/predictor/adapters/npm --ignore-scripts --no-audit --no-fund

triton-client: ## Install Triton's gRPC client into build/triton-client for its test, 150 MB
	$(PYTHON) -m venv build/triton-client
	build/triton-client/bin/pip install --quiet --disable-pip-version-check 'tritonclient[grpc]==2.73.0'

bench: install ## Measure speed, each figure beside the one it is compared with
	$(BIN)/python -m tests.benchmarks

images: ## Build the container images, and their bills of materials into build/sbom (needs docker)
	@[ -z "$(PLATFORMS)" ] || $(DOCKER) buildx version >/dev/null 2>&1 || \
		{ echo "PLATFORMS needs docker buildx, which is not here: docs.docker.com/build" >&2; exit 1; }
	$(BUILD) --build-arg DEVICE=$(DEVICE) --build-arg TORCH_PIP_OPTIONS="$(TORCH_PIP_OPTIONS)" \
		--file images/component/Dockerfile --tag $(BUILT_COMPONENT) .
	$(BUILD) --file images/predictor/Dockerfile --tag $(PREDICTOR_IMAGE) .
	@mkdir -p build/sbom
	@[ -n "$(PLATFORMS)" ] || for image in $(BUILT_COMPONENT) $(PREDICTOR_IMAGE); do \
		name=$${image##*/} && $(DOCKER) run --rm --entrypoint cat $$image /usr/share/content-arena/sbom.cdx.json \
			> build/sbom/$${name%%:*}.cdx.json && $(DOCKER) image ls $$image; \
	done

image-list: ## Print every image that the manifests name and that the images are built from, for a mirror
	@sed -n 's/^[A-Z_]*_IMAGE[A-Z_]*=//p' $(CLUSTER_ENV); echo $(BASE_IMAGE)

clean: ## Remove .venv, caches and the arena's state
	rm -rf .venv .arena .arena-ko build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
