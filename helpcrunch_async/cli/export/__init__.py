"""`helpcrunch export`: all customers, chats or messages into a file.

`command` reads the options, `job` does it.
"""
