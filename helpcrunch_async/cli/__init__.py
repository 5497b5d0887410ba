"""The `helpcrunch` command. It needs the extra `cli`: nothing outside this package imports it.

`app` is the whole command; `get`, `search`, `fetch`, `export`, `tag`, `doctor` and `demo` are its parts.
Below them: `problems` what went wrong in one line, `reasons` why, `exits` with which code it ends; `account`
whose key and which server; `options` what several take; `files` what is read and written; `show` what people
look at, `progress` the bar and `budget` what was spent lately; `stdout` and `text` what may be printed, and
where.
"""
