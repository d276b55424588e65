"""What can happen to a payment: one function per thing, each its own transaction."""
