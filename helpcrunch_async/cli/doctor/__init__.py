"""`helpcrunch doctor`: what stands between this machine and HelpCrunch, and what to do about it.

`command` reads the options and shows the findings, `machine` looks at what is installed and set here, `reach`
asks HelpCrunch, `finding` is what they find.
"""
