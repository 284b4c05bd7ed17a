# The commands of the workbench; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach name,python3.11 python3 python,$(shell command -v $(name) 2>/dev/null)))
# compiled modules are kept whatever the shell says: without them each of a build's kernels compiles what it imports
ENVIRONMENT := PYTHONDONTWRITEBYTECODE= OMP_WAIT_POLICY=PASSIVE MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true PLOOMBER_STATS_ENABLED=false PATH="$(CURDIR)/$(BIN):$$PATH"
# starts a command with the sort that suits the processor
SORTING := $(BIN)/python -m driftbook.processor

.PHONY: help setup build test coverage lint bench lab dashboard screenshots serve mlflow clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## set up .venv from requirements.lock

$(VENV)/.ready: requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "driftbook needs Python 3.11, found none; install it" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(0 if v[:2] == (3, 11) else f"driftbook needs Python 3.11, found {v[0]}.{v[1]} ({sys.executable}); give another with: make PYTHON=/path/to/python3.11 setup")'
	@echo "setting up $(VENV) (some 200 packages, a minute or two) ..."
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && \
	  VIRTUAL_ENV="$(CURDIR)/$(VENV)" uv pip install --quiet --requirement requirements.lock && \
	  VIRTUAL_ENV="$(CURDIR)/$(VENV)" uv pip install --quiet --no-deps --editable . ; \
	else \
	  "$(PYTHON)" -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . ; \
	fi
	@touch $@

build: setup ## run the pipeline on simulated customer churn (ploomber build)
	@$(ENVIRONMENT) $(BIN)/ploomber build

# every test, a file on each core, the longest first; threads of BLAS would wait, spinning, for the core of another file
TESTS := OPENBLAS_NUM_THREADS=1 $(SORTING) $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --durations=15

test: setup ## run every test, simulations included
	@$(ENVIRONMENT) $(TESTS)

coverage: setup ## the same, and how many lines of src they reach (slower)
	@$(ENVIRONMENT) $(TESTS) --cov=driftbook --cov-report=term:skip-covered --cov-fail-under=90

lint: setup ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: setup ## measure speed and memory beside the peers (an hour; tests/benchmarks/results)
	@$(ENVIRONMENT) PYTHONPATH=tests $(BIN)/python -m benchmarks
	@$(ENVIRONMENT) PYTHONPATH=tests $(BIN)/python -m benchmarks.service
	@$(ENVIRONMENT) PYTHONPATH=tests $(BIN)/python -m benchmarks.kills
	@$(ENVIRONMENT) PYTHONPATH=tests $(BIN)/python -m benchmarks.dashboard

lab: setup ## open JupyterLab on the notebooks
	@$(ENVIRONMENT) $(SORTING) $(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

dashboard: setup ## show how the models are doing on http://127.0.0.1:8866 (after a build)
	@$(ENVIRONMENT) $(BIN)/driftbook dashboard

screenshots: setup ## take the README's pictures of the dashboard (after a build)
	@$(ENVIRONMENT) PYTHONPATH=tests $(BIN)/python -m screenshots

serve: setup ## answer predictions on http://127.0.0.1:8000 (after a build)
	@$(ENVIRONMENT) $(BIN)/driftbook serve

mlflow: setup ## open MLflow's interface on this workbench's store (http://127.0.0.1:5000)
	@$(ENVIRONMENT) MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --host 127.0.0.1 --port 5000 --workers 1 \
	  --backend-store-uri "$${DRIFTBOOK_MLFLOW_URL:-sqlite:///$(CURDIR)/data/state/mlflow.db}"

clean: ## remove everything generated (raw files stay)
	@rm -rf reports/* data/state data/*/batches data/*/targets data/*/predictions data/*/quarantine
	@find data -mindepth 1 -maxdepth 1 -type d -name '*-*' -exec rm -rf {} +
