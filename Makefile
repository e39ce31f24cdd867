# Each target sets up what it needs in .venv; nothing outside this folder is touched but the
# cache of compiled kernels ($EXACTCONV_CACHE, by default ~/.cache/exactconv).

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: help derive generate verify test demo bench lint format clean
.DEFAULT_GOAL := help

help:  ## Say what the targets do
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-9s %s\n", $$1, $$2}'

derive: .venv/core  ## Print the classic derivation: 3x3 kernel, 4x4 input, 2x2 output, and its transpose
	$(BIN)/python -m derive conv2d --kernel-size 3 --input-size 4 4
	$(BIN)/python -m derive conv-transpose2d --kernel-size 3 --input-size 2 2

generate: .venv/core  ## Write generated/ from operators.toml, build the kernels, compare them
	$(BIN)/python -m codegen generate operators.toml

verify: .venv/core  ## Check that generated/ is up to date, byte for byte, and exact
	$(BIN)/python -m codegen verify operators.toml

test: .venv/dev  ## Run all tests
	$(BIN)/python -m pytest -n $(WORKERS)

demo: .venv/plots  ## Convolve a photograph with the kernels and write out/demo.png
	$(BIN)/python -m demo

bench: .venv/dev  ## Measure, side by side in one run, and print the tables
	$(BIN)/python -m benchmarks

lint: .venv/dev  ## Check style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/dev  ## Mend what the formatter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove what make made, the generated sources excepted
	rm -rf .venv out build .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/python:
	$(PYTHON) -m venv .venv
	@touch $@

.venv/core: .venv/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/plots: .venv/core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[plots]
	@touch $@

.venv/dev: .venv/core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[dev,plots,torch]
	@touch $@
