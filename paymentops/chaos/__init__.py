"""Faults on purpose: a system of its own under traffic and faults from a seed, and four views of it compared."""
