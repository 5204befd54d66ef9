# make run    sets up, then reproduces a paper:  make run PAPER=gan ARGS="smoke --seed 3"
# make test   sets up, then runs the tests
# make bench  sets up with PyTorch, then times our steps against it

PAPER ?= gan
ARGS ?=
VENV ?= .venv
# The newest Python that starts and can make environments. A `python3.12` on the PATH may be a shim
# that does not start, so each is tried.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$p"; break; }; done)

run: $(VENV)/ready
	$(VENV)/bin/python -m experiments.$(PAPER) $(ARGS)

test: $(VENV)/ready
	$(VENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder $(ARGS)

bench: $(VENV)/ready
	$(VENV)/bin/python -c 'import torch' 2>/dev/null || $(VENV)/bin/python -m pip install -q -c constraints.txt '.[peers]'
	mkdir -p .cache
	$(VENV)/bin/python -m pytest tests/benchmarks/test_$(PAPER).py --benchmark-only --benchmark-json .cache/bench.json
	$(VENV)/bin/python -m tests.benchmarks.keep .cache/bench.json $(PAPER)

# uv, when there is one, is several times faster than pip.
$(VENV)/ready: constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python >= 3.11 with venv found (set PYTHON=...)" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	if command -v uv >/dev/null; then \
	  uv pip install -q --python $(VENV)/bin/python -c constraints.txt -e '.[test]'; \
	else \
	  $(VENV)/bin/python -m pip install -q -c constraints.txt -e '.[test]'; \
	fi
	touch $@

clean:
	rm -rf $(VENV) .cache

.PHONY: run test bench clean
