"""The chance that training takes from torch's global generators, as a checkpoint keeps it."""

import torch


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """The state of the global generators that training noise comes from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    """Set the global generators as `random_state` found them."""
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
