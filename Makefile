# Every target only calls deploy/setup.py, so everything also works without make.
PYTHON ?= python3
PORT ?= 8000
export PORT

.PHONY: setup run test bench

setup run test bench:
	@$(PYTHON) deploy/setup.py $@
