"""One thread a test: the nets are small, and two threads that wait for one another on a busy machine are slower."""

import torch

torch.set_num_threads(1)
