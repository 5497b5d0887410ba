"""What people look at: `card` is one customer, `table` many rows."""
