# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= runs
# A test module stays in one process, so that its fixtures (a study on Ray, say) are made once.
PARALLEL ?= -n auto --maxprocesses 8 --dist loadscope
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo studies axes test test-slow lint types imports bench clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,lint]'
	touch $@

demo: $(VENV)/.demo ## a real sweep on digits: YAML to plots, verdict and best.yaml, in minutes
	$(BIN)/python examples/demo.py --runs $(RUNS)

test: $(VENV)/.dev ## the default tests, a process for each core
	$(BIN)/python -m pytest $(PARALLEL)

test-slow: $(VENV)/.dev ## the tests that take minutes
	$(BIN)/python -m pytest -m slow --timeout 1800 $(PARALLEL)

lint: $(VENV)/.dev ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## types
	$(BIN)/mypy

imports: $(VENV)/.dev ## the import law
	$(BIN)/lint-imports

STUDIES ?= digits-uvit emoji-dit emoji-pixart emoji-mmdit
studies: $(VENV)/.demo ## the paper's four families on digits and emoji, an hour or so on two cores
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[openmoji]'
	for study in $(STUDIES); do \
	  $(BIN)/mutransfer run $$study --runs $(RUNS) || exit; \
	  $(BIN)/mutransfer analyze $$study --runs $(RUNS) || [ $$? -eq 3 ] || exit; \
	done

AXES ?= digits-dit-batch digits-dit-steps digits-dit-depth
axes: $(VENV)/.demo ## transfer along batch size, steps and depth, within an hour on two cores
	for study in $(AXES); do \
	  $(BIN)/mutransfer run $$study --runs $(RUNS) || exit; \
	  $(BIN)/mutransfer analyze $$study --runs $(RUNS) || [ $$? -eq 3 ] || exit; \
	done

bench: $(VENV)/.dev ## the benchmarks behind the README's numbers (about an hour)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/train_step.py

clean: ## remove the environment and caches, keep runs
	rm -rf $(VENV) build src/*.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
