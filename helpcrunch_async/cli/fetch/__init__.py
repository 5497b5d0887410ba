"""`helpcrunch fetch`: any number of customers into a file, as they arrive, over any number of runs.

`command` reads the options, `job` does it, `failures` is the file of what failed, `summary` tells what has
become of it.
"""
