"""The `helpcrunch` command. It needs the extra `cli`: nothing outside this package imports it.

`app` is the whole command, `get`, `fetch` and `demo` its parts. Below them: `problems` what went wrong and
with which code to exit, `account` whose key and which server, `text` what may be printed, `card` a customer
for the eye, `id_file` ids from a file, `json_lines` objects to a file, `progress` the bar, `budget` what was
spent lately.
"""
