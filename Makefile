# CallPrivacy: `make run` starts it here, `make test` checks everything. The work is done by the programs in tools/.

.PHONY: run test bench faults assure dates attack load soak upgrade release css requirements types clean
.DEFAULT_GOAL := run

run:
	@exec sh tools/python.sh tools/bootstrap.py -m tools.run

test:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m tools.check

bench:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m lab.bench.run

faults:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m lab.assure faults

# What tries the promises; ARGS="--minutes 20 --rows 11,13" for a part of it. What came of it: docs/assurance.md.
assure:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m lab.assure assure

upgrade:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m lab.assure upgrade

dates:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m lab.assure dates

attack:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m lab.assure attack

load:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m lab.assure load

soak:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m lab.assure soak

# What a deployment runs once before its processes start; it never makes a demo.
release:
	@exec sh tools/python.sh tools/bootstrap.py -m tools.release

css:
	npm ci --no-audit --no-fund
	npm run build

requirements:
	@exec sh tools/python.sh tools/bootstrap.py --dev -m tools.compile_requirements

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage .coverage.*
