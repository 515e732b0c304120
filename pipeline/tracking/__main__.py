"""`python -m pipeline.tracking`."""

from pipeline.tracking.importer import main

main()
