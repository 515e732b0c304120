"""The search of settings, `python -m pipeline.search KIND`: what is searched, which trials it takes, what they are."""
