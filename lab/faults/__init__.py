"""
Kills while it takes calls in and lets them go: `python -m lab.faults [--kills 210] [--minutes 20] [--seed 1]`.

PostgreSQL, Valkey and the web, worker and beat of the Procfile run as `make run` has them (`site`, `product`). Day
after day falls due at four clients; each night's run is planned by its own task, works in small batches, and at random
moments one of the five is ended by SIGKILL, together with all its children or one of them alone (`nights`), while a
tracker goes on calling over HTTP and repeats old events (`trackers`). The product's clock goes fifteen times as fast,
so that leases run out within seconds; a night is a jump, and in every other night the clock goes back by an hour
(`clock`).

What was made, acknowledged and held is written down outside (`history`). In the end, after a last run without a kill, a
checker compares (`checker`): nothing due is left, nothing kept or held is lost and its key opens, every acknowledged
event is one call, what left does not come back, every certificate is true to its digest, every recording is a step at
its vendor, and the trail verifies. Then faults are planted, each of which the checker must find (`plants`).
`make faults` runs it beside other faults (lab/assure/faulting.py), which also writes what came of it into
docs/assurance.md.
"""
