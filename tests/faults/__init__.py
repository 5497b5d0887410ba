"""Every fault of the specification as a value: how it is staged, and what the caller must get.

`server` is a raw socket server with a script and `behaviours` are what it can do. `stages` put up a place to
send to, also where a fault is no server's doing: a name that does not resolve, a certificate that does not
fit. `clients` make clients and see what they hold, `acts` are what callers do. `case` says what a fault is,
`any_request` and `some_calls` list them, `cases` is the whole list, and `table` writes it down for users.
"""
