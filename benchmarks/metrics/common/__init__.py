"""What several metrics share; not a metric itself."""
