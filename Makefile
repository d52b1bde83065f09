# Needs: Python 3.11, make, and a Python package index. Everything else goes into .venv.
PYTHON ?= python3.11
BIN := .venv/bin

# What `make images` builds from and how; BASE_IMAGE=python:3.11-slim-bookworm@sha256:... pins the base.
DOCKER ?= docker
BASE_IMAGE ?= python:3.11-slim-bookworm
DOCKER_BUILD_OPTIONS ?=
DEVICE ?= cpu
VERSION := $(shell sed -n 's/^version = //p' setup.cfg)
BUILD := $(DOCKER) build $(DOCKER_BUILD_OPTIONS) --build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg VERSION=$(VERSION) \
	--build-arg REVISION=$(shell git rev-parse HEAD)

.PHONY: help install arena test lint bench images clean
.DEFAULT_GOAL := help

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## Make .venv with everything a developer needs

.venv/.installed: setup.cfg setup.py pyproject.toml constraints.txt
	@echo "Installing into .venv: about 3 GB, torch the largest part; a few minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

arena: install ## Run the whole loop once: attack, label, train, evaluate, promote
	$(BIN)/arena run

test: install ## Run every test, a file on one core at a time
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: install ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: install ## Measure speed, each figure beside what it is to be compared with
	$(BIN)/python -m tests.benchmarks

images: ## Build the container images, and their bills of materials into build/sbom (needs docker)
	$(BUILD) --build-arg DEVICE=$(DEVICE) --file images/component/Dockerfile --tag content-arena/component-python:$(VERSION) .
	$(BUILD) --file images/predictor/Dockerfile --tag content-arena/predictor:$(VERSION) .
	@mkdir -p build/sbom
	@for name in component-python predictor; do \
		$(DOCKER) run --rm --entrypoint cat content-arena/$$name:$(VERSION) /usr/share/content-arena/sbom.cdx.json \
			> build/sbom/$$name.cdx.json && $(DOCKER) image ls content-arena/$$name:$(VERSION); \
	done

clean: ## Remove .venv, caches and the arena's state
	rm -rf .venv .arena build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
