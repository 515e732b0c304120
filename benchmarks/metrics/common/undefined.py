"""What a metric raises where it has no value."""


class Undefined(ValueError):
    """A metric has no value for evidence that is in order; the message says why, and what it wants."""
