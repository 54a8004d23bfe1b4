# make run    the server, and the agent of this machine where it has an engine
# make demo   the server with a synthetic fleet, for a first look without Docker
# make test   everything the tests need, then all of them
# make bench  what the server manages beside the least that it could do, measured in one run
# make lint   format, lint and types of the Python, the page and the shell scripts
# make requirements   the pinned packages of a released installation, with their licences
# make audit  known vulnerabilities of those packages

# The first Python that is new enough; name another with `make PYTHON=... run`.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	{ echo $$python; break; }; done)
ifeq ($(strip $(PYTHON)),)
$(error ArchNest needs Python 3.11 or newer, and there is no such python3 on the PATH)
endif

VENV_PYTHON := .venv/bin/python

.PHONY: run demo test bench lint requirements audit tools

run:
	@$(PYTHON) server/install.py
	@$(VENV_PYTHON) -m archnest.quickstart

demo:
	@$(PYTHON) server/install.py
	@$(VENV_PYTHON) -m archnest.demo

test: tools
	@$(VENV_PYTHON) -m pytest -n 4 --dist loadfile

bench:
	@$(PYTHON) server/install.py test fast
	@$(VENV_PYTHON) -m bench --write

lint: tools
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m mypy
	shellcheck agent/*.sh tests/*.sh .ci/run
	npm --prefix tests/web run --silent lint
	npm --prefix tests/web run --silent types

requirements:
	@$(PYTHON) server/install.py release fast
	CUSTOM_COMPILE_COMMAND="make requirements" .venv/bin/pip-compile --quiet --upgrade \
		--generate-hashes --extra fast --strip-extras --no-emit-index-url \
		--no-emit-trusted-host --no-emit-find-links \
		--output-file server/requirements.txt setup.cfg
	$(VENV_PYTHON) docs/licences.py

# Needs pypi.org's record of vulnerabilities, and fails where it cannot be had.
audit:
	@$(PYTHON) server/install.py release
	.venv/bin/pip-audit --strict --require-hashes --requirement server/requirements.txt

# What only tests and lint need; the page itself needs no build and no package.
tools:
	@bash tests/setup.sh
	@$(PYTHON) server/install.py test lint fast
	@cd tests/web && { [ node_modules/.package-lock.json -nt package-lock.json ] || \
		npm ci --no-audit --no-fund --loglevel=error; }
