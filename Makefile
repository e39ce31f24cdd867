# Each target sets up what it needs in .venv; nothing outside this folder is touched but the
# cache of compiled kernels ($EXACTCONV_CACHE, by default ~/.cache/exactconv).

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: help derive generate verify test test-cuda fuzz demo bench bench-cuda lint format clean
.DEFAULT_GOAL := help

help:  ## Say what the targets do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

CLASSIC := conv2d --kernel-size 3 --input-size 4 4
BACK := conv-transpose2d --kernel-size 3 --input-size 2 2
STRIDED := conv-transpose2d --kernel-size 3 --stride 2 --input-size 3 3
DRAW = $(BIN)/python -m derive $(1) --figure $(2) --out out/$(3)_$(2).svg --out out/$(3)_$(2).png

derive: .venv/plots .venv/proofs  ## Print the classic derivation, 3x3 kernel, 4x4 input, its transpose, figures, the report
	$(BIN)/python -m derive $(CLASSIC)
	$(BIN)/python -m derive $(BACK)
	@mkdir -p out
	$(call DRAW,$(CLASSIC),structure,conv2d_classic)
	$(call DRAW,$(CLASSIC),many-to-one,conv2d_classic)
	$(call DRAW,$(BACK),one-to-many,conv_transpose2d_classic)
	$(call DRAW,$(BACK),overlap,conv_transpose2d_classic)
	$(call DRAW,$(STRIDED),structure,conv_transpose2d_stride2)
	$(call DRAW,$(STRIDED),overlap,conv_transpose2d_stride2)
	$(call DRAW,$(STRIDED),phases,conv_transpose2d_stride2)
	$(BIN)/python -m derive $(CLASSIC) --figure sliding --out out/conv2d_sliding.gif
	$(BIN)/python -m derive $(BACK) --figure sliding --out out/conv_transpose2d_sliding.gif
	$(BIN)/python -m derive report operators.toml

generate: .venv/core  ## Write generated/ from operators.toml, build the kernels, compare them
	$(BIN)/python -m codegen generate operators.toml

verify: .venv/proofs  ## Prove the claims with z3; check generated/, byte for byte, and exact
	$(BIN)/python -m derive prove
	$(BIN)/python -m codegen verify operators.toml

test: .venv/dev  ## Run all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-cuda: .venv/dev  ## Run the CUDA tests, on a GPU where one is; say what is left out and why
	$(BIN)/python -m pytest tests/cuda -rs -n $(WORKERS) --dist worksteal

fuzz: .venv/dev  ## Compare N random operators, NumPy and C, with the matrix and torch
	$(BIN)/python -m tests.fuzz $(or $(N),50000) --seed $(or $(SEED),0) --jobs $(WORKERS)

demo: .venv/plots  ## Convolve a photograph with the kernels and write out/demo.png
	$(BIN)/python -m demo

bench: .venv/bench  ## Measure beside torch, onnxruntime, OpenVINO and ncnn (ARGS="layers --only REGEX")
	$(BIN)/python -m benchmarks $(ARGS)

bench-cuda: .venv/dev  ## Measure the CUDA kernels beside cuDNN, where a GPU is (ARGS="--only REGEX")
	$(BIN)/python -m benchmarks cuda $(ARGS)

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

.venv/proofs: .venv/core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[proofs]
	@touch $@

.venv/bench: .venv/core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[bench]
	@touch $@

.venv/dev: .venv/core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[dev,plots,torch]
	@touch $@
