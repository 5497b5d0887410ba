"""The table of all calls: what each sends, how it is answered, and what must come of it."""
