"""What data sets share: the shape of their answer, and files that are whole or absent."""
