"""Run as a program: `python -m soak`."""

from soak.program import main

main()
