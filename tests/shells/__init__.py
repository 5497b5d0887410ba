"""The shells of the limiter that `test_scenarios` plays with, and the account around them."""
