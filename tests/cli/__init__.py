"""What the tests of the `helpcrunch` command share."""
