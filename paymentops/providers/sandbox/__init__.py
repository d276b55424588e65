"""A payment provider of our own: a separate HTTP process with its own store of truth and faults on demand.

It knows nothing of the application that calls it: no Django, none of its tables, its own words on the wire.
"""
