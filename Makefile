# Two commands for a fresh machine (git, make, Python 3.11 to 3.13): `make quick` and `make test`; then `make reproduce`.
PYTHON ?= python3
PORT ?= 5000
BIN := .venv/bin
READY := .venv/.installed

NAME ?= ring
SUITE ?= embedded
SECONDS ?= 300
LIMIT := $(if $(JOBS),--jobs '$(JOBS)')
CHECK := $(BIN)/python -m pipeline.check > /dev/null  # before DVC, which reads params.yaml too and says less

# Hundreds of short processes import the same files: without compiled ones each takes three times as long to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help ready install quick reproduce test benchmark ui lint format speed chaos gpu-check lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

quick:  ## a first look at ring and digits in ten minutes: fewer contestants, seeds and steps
	@$(MAKE) --no-print-directory reproduce SUITE=quick

reproduce: ready  ## run what changed of the embedded suite (or SUITE=images) on every core (or JOBS=4), print the tables
	@$(CHECK)
	@$(BIN)/python -m pipeline.add --suite '$(SUITE)' > /dev/null
	$(BIN)/python -m pipeline.launch --suite '$(SUITE)' $(LIMIT)
	$(BIN)/python -m pipeline.dvc repro $$($(BIN)/python -m pipeline.add --suite '$(SUITE)' --targets)
	@$(BIN)/python -m pipeline.report --suite '$(SUITE)'
	$(if $(filter-out embedded quick,$(SUITE)),$(BIN)/python -m pipeline.dvc repro -s index)

test: ready  ## every test but the timings, a file at a time in each of two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

benchmark: ready  ## one benchmark that need not be in the suite: make benchmark NAME=mnist
	@$(CHECK)
	$(BIN)/python -m pipeline.add $(NAME)
	$(BIN)/python -m pipeline.launch $(NAME) $(LIMIT)
	$(BIN)/python -m pipeline.dvc repro benchmarks/$(NAME)/dvc.yaml
	$(BIN)/python -m pipeline.report $(NAME)
	$(BIN)/python -m pipeline.dvc repro -s index

ui: ready  ## the runs in MLflow's browser interface, on this machine only
	@$(BIN)/python -m pipeline.tracking --ui --port $(PORT)

lint: ready  ## style, layout and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

speed: ready  ## timings against the usual training loop, as ratios
	$(BIN)/python -m pytest tests/speed -s -o addopts="" --timeout 3600

chaos: ready  ## kills, wrong parameters, damaged and strange files, by the hundred in a clone (an hour or more); TRIES=5 of each, SEED=7
	$(BIN)/python -m pytest tests/chaos -s -o addopts="" --timeout 36000

gpu-check:  ## training on a GPU, checked and timed, then units of PACK=pack.tar.gz for SECONDS; needs torch, numpy, scipy, scikit-learn, scikit-image, POT, psutil, tqdm, pytest
	$(PYTHON) -m pytest tests/gpu -s -o addopts="" -p no:cacheprovider
	$(if $(PACK),$(PYTHON) -m pipeline.launch --work $(PACK) --limit $(SECONDS))

# The environment holds the locked versions if it was made from the very lock file, whenever that was written.
ready:
	@$(BIN)/python -c '' > /dev/null 2>&1 && test "$$(cat $(READY) 2> /dev/null)" = "$$(cksum < requirements.lock)" || $(MAKE) --no-print-directory install

FITS := import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + "; say make PYTHON=python3.12")

# With hashes. uv is used where it is there, because it is faster; pip does the same.
install:
	@$(PYTHON) -c '$(FITS)'
	{ $(BIN)/python -c '$(FITS)' && $(BIN)/python -m pip --version; } > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment; install its venv and pip (Debian: python3-venv)"; exit 1; }
	if command -v uv > /dev/null; then uv pip install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock; \
	else $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock; fi \
	|| { echo "the packages are not all installed, and why stands above; connect, or free some disk, and run the same command again"; exit 1; }
	cksum < requirements.lock > $(READY)

lock:  ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--python-version 3.11 --all-extras --upgrade --output-file requirements.lock pyproject.toml

clean:  ## drop what runs have made (data, models, caches); reports in git stay
	rm -rf artifacts .dvc/cache .dvc/tmp .mypy_cache .pytest_cache .ruff_cache
