"""What a trained model is measured by: its samples, and what is known and seen of them."""
