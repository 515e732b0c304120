"""`python -m pipeline.tracking`."""

import pipeline.work.tied  # noqa: F401  (before MLflow, which takes seconds to import)
from pipeline.tracking.importer import main

main()
