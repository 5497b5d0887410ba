"""Every way in which a call ends in an error, and every place into which a secret could leak from there.

`planted` has the secrets, `watch` looks for them, and the other modules are the ways: `by_reply` what a
server says, `on_the_way` what happens to a request, `before_sending` what never leaves.
"""
