"""What trains a model: the loop, its minibatches, its checkpoints."""
