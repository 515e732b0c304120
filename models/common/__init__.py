"""What models share: the protocol they meet, nets of equal size, losses, pixel grids."""
