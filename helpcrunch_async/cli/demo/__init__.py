"""`helpcrunch demo`: several ways to do one job, on a server of our own, side by side.

`command` reads the options, `rules` are the ways to count requests, `ways` the ways to do the job, `run`
does one after the other, `tally` is what became of each, `screen` shows it.
"""
