"""What contestants are measured on and by: data sets, metrics and the extractors that the metrics look through."""
