"""Commands beside the stages; each runs as `python -m pipeline.NAME`."""
