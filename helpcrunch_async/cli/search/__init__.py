"""`helpcrunch search`: a few customers or chats, to look at or to pipe on.

`command` reads the options, `where` reads the conditions, `ask` is what is asked for and in which order.
"""
