"""Customers by their ids, many at a time: look-ups through searches that were proved, and batches of updates.

`lookup` asks and answers, `coalescer` lets calls that wait share a request, `source` feeds a stream, `proof`
decides whether searches answer as single requests do, `recent_writes` keeps reads of one's own writes exact,
`account` is what the process remembers of both, and `batch` updates.
"""
