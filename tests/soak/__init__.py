"""A soak: many ids by every route, through a server that throws every fault at random, from a seed.

`account` knows what the honest answer to a request is, and what was carried out. `cards` are the faults,
`server` deals them. `ledger` writes down what became of each id, and every promise that is broken. `routes`
are the ways to ask, `health` is what must not grow, `program` runs it all and `report` tells of it. The
program is `python -m soak`, which `make soak` calls; `tests/test_soak.py` runs a short one.
"""
