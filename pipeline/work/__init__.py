"""Units of work: what they are, and how they are made beside each other, here or elsewhere."""
