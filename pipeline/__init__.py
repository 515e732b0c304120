"""The stages of the benchmark, one module each, and what only stages need."""
