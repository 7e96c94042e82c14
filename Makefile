# `make simulate` and `make test` need Python 3.11 to 3.13 and make, nothing else. The first call
# sets up $(VENV) from requirements.lock; later calls touch no network.
# Another Python: make test PYTHON=python3.12 VENV=.venv-3.12
# Another series of Prefect, with a lock and an environment of its own: make test PREFECT=3.8
# Arguments for the program that runs: make simulate ARGS="cron-drift --days 3"
# Some of the tests alone: make test TESTS=tests/patches

# The newest series is the default; each other one is named in what it has of its own.
NEWEST  := 3.9
SERIES  := $(NEWEST) 3.8

PYTHON  ?= python3
PREFECT ?= $(NEWEST)
SUFFIX  := $(if $(filter-out $(NEWEST),$(PREFECT)),-$(PREFECT))
VENV    ?= .venv$(SUFFIX)
LOCK    := requirements$(SUFFIX).lock
ARGS    ?=
TESTS   ?= tests scenarios

ifeq ($(filter $(PREFECT),$(SERIES) newest),)
$(error Prefect $(PREFECT) is none of the series that have a lock here: $(SERIES))
endif

# Prefect and dbt report to nobody.
export DO_NOT_TRACK := 1

# The tests and live simulations start hundreds of processes: each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# What ruff looks at. Not all of them need exist.
SOURCES := $(wildcard simulator pipelines scenarios tests benchmarks docs/hooks)

.PHONY: help simulate test conformance fuzz attack check format bench site dist lock newest install clean

help:
	@echo "make simulate   run the scenarios, print verdicts and where the results are"
	@echo "make test       run the tests, scenarios included"
	@echo "make conformance  run cases on the virtual engine and on a real Prefect, and compare"
	@echo "make fuzz       make programs up, run them on both engines and compare (ARGS=\"--programs 50 --seed 1\")"
	@echo "make attack     let topologies made up at random live, and kill simulate run (ARGS=\"--examples 50 --kills 5\")"
	@echo "make check      format, lint and types"
	@echo "make format     put format and imports right"
	@echo "make bench      measure speed and memory"
	@echo "make bench-long  what each tenth of a long simulation costs (ARGS=\"--days 9\")"
	@echo "make site       build a site of docs/ in site/"
	@echo "make dist       build a wheel and an archive of the sources in dist/"
	@echo "make lock       write the locks anew (UPGRADE=--upgrade for newer versions)"
	@echo "make newest     run the tests on the newest of everything that pyproject.toml allows"
	@echo "make clean      remove $(VENV) and what tools and runs left behind"
	@echo "Each of them with PREFECT=3.8 uses that series instead of $(NEWEST)."

simulate: install
	@$(BIN)/simulate run $(ARGS)

test: install
	@$(BIN)/python -m pytest -n auto --dist worksteal $(TESTS) $(ARGS)

conformance: install
	@$(BIN)/python -m tests.conformance $(ARGS)

fuzz: install
	@$(BIN)/python -m tests.fuzz $(ARGS)

attack: install
	@$(BIN)/python -m tests.attack $(ARGS)

check: install
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

format: install
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

bench-long: install
	@$(BIN)/python -m benchmarks.long $(ARGS)

bench: install
	@$(BIN)/python -m benchmarks $(ARGS)

# The variable stops an advertisement of the theme's.
site: install
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "site/index.html; to search in it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory site"

# The wheel is built from the archive: what that lacks would be missed.
dist: install
	@rm -rf dist
	@$(BIN)/uv build --python $(BIN)/python --no-build-isolation --offline --quiet --out-dir dist .

# Pins that still fit are kept; no index address is written. A lock of an older series is the
# same resolution with Prefect held below the next one.
RESOLVE = $(BIN)/uv pip compile pyproject.toml - --extra dev --extra dbt --extra dask --extra otel --universal --python-version 3.11 \
	--no-emit-index-url --annotation-style line --quiet

lock: export UV_CUSTOM_COMPILE_COMMAND := make lock
lock: install
	@echo 'prefect==$(NEWEST).*' | $(RESOLVE) $(UPGRADE) --output-file requirements.lock
	@for series in $(filter-out $(NEWEST),$(SERIES)); do \
		echo "prefect==$$series.*" | $(RESOLVE) $(UPGRADE) --output-file requirements-$$series.lock \
			|| exit; \
	done

# For a scheduled job: a release that breaks something is seen before users meet it.
newest: install
	@rm -f requirements-newest.lock
	@$(RESOLVE) --upgrade --output-file requirements-newest.lock </dev/null
	@echo "what differs from requirements.lock:"
	@diff requirements.lock requirements-newest.lock | grep '^[<>] [^#]' || echo "nothing"
	@$(MAKE) --no-print-directory test PREFECT=newest

install: $(VENV)/.installed

# Three steps, each stamped when it is complete, so that an interrupted one is done again.
$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.locked: $(LOCK) | $(VENV)/.created
	@echo "installing $(LOCK) into $(VENV) ..."
	@$(PIP) install --no-deps --requirement $(LOCK)
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("error: Python 3.11 to 3.13 is needed, $(PYTHON) is %d.%d; name another: make PYTHON=python3.12" % v)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

clean:
	@rm -rf $(VENV) requirements-newest.lock *.egg-info build dist site results .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
