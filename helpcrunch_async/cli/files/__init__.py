"""Files of the command: ids come from some, rows go to others, and both may be pipes.

`lines` cuts bytes into lines and CSV records, `ids` reads ids from them, `id_file` a whole file of them.
`cells` makes cells of models, `layouts` lines of models and ids of lines, `line_file` writes lines, and
`row_file` models, from where an earlier run stopped.
"""
