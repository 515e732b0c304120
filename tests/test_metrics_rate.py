"""Both terms of a bound and a completer's likelihood against closed forms, and how evaluation asks models for them."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import models
from benchmarks.metrics import completion, rate
from models.common.protocol import Spec
from pipeline.evaluation.evidence import of_pixels, of_terms
from pipeline.evaluation.scores import protocol
from pipeline.params import Params

WANTED = {"rate", "hidden_log_prob"}


def test_rate_and_distortion_are_means_over_data() -> None:
    values = rate.score(rate=torch.tensor([1.0, 3.0]), distortion=torch.tensor([-4.0, 6.0]), codes=None)
    assert values == {"rate": 2, "distortion": 1, "active_units": None}


def test_active_units_vary_by_more_than_a_hundredth() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0])  # variance 1
    codes = torch.stack([x, x * 0.101, x * 0.099, torch.full((3,), 7.0)], 1)
    assert rate.active_units(codes=codes) == 2
    with pytest.raises(ValueError, match=r"codes have the shape \(3,\): give \(N, latent\)"):
        rate.active_units(codes=x)


def test_what_is_hidden_costs_its_mean_nats() -> None:
    assert completion.score(hidden_log_prob=torch.tensor([-1.0, -2.0])) == {"hidden_nats": 1.5}
    assert completion.score(hidden_log_prob=torch.tensor([-1.0, -math.inf])) == {"hidden_nats": None}
    with pytest.raises(ValueError, match="NaN or"):
        completion.score(hidden_log_prob=torch.tensor([-1.0, math.nan]))


def test_a_vae_with_an_exact_posterior_has_rate_and_distortion_in_closed_form() -> None:
    """x = z + noise of the same variance, 1: the posterior is N(x / 2, 1 / 2), the bound the likelihood, N(0, 2)."""
    vae = models.load("vae")(Spec((1,)), latent=1).double().eval().requires_grad_(False)
    vae.encoder, vae.decoder = nn.Linear(1, 2).double(), nn.Identity()
    vae.likelihood.set_scale(0.0)
    vae.encoder.weight.data, vae.encoder.bias.data = torch.tensor([[0.5], [0.0]]), torch.tensor([0.0, math.log(0.5)])
    vae.double()
    x = torch.randn(200_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2**0.5
    found = of_terms(vae, x, WANTED)
    values = rate.score(**found)
    assert values["rate"] == pytest.approx(0.5 * math.log(2), abs=0.01)  # the information of x in z
    entropy = 0.5 * math.log(2 * math.pi * math.e * 2)
    assert values["rate"] + values["distortion"] == pytest.approx(entropy, abs=0.02)
    assert values["active_units"] == 1 and torch.equal(found["codes"], x / 2)


class Completer(nn.Module):
    task, conditional_estimator = "1 of 4 quadrants seen", "importance sampling, 100 draws"

    def conditional_log_prob(self, x: Tensor) -> Tensor:
        return -x.flatten(1).sum(1)


def test_models_are_asked_for_what_they_state_and_what_is_wanted() -> None:
    x = torch.arange(4100.0)[:, None, None, None]  # in more than two chunks
    found = of_terms(Completer(), x, WANTED)
    assert torch.equal(found["hidden_log_prob"], -torch.arange(4100.0))
    assert found["task"] == "1 of 4 quadrants seen, importance sampling, 100 draws"
    assert of_terms(Completer(), x, {"rate"}) == of_terms(nn.Identity(), x, WANTED) == {}


def test_the_likeliest_and_the_least_likely_image_are_kept_with_what_their_pixels_cost() -> None:
    spec = Spec((1, 2, 2), levels=2)
    model = models.load("independent")(spec)
    model.share[:, 1], model.share[:, 0] = 0.9, 0.1
    x = torch.tensor([[-1.0, -1, 1, 1], [1, 1, 1, 1], [-1, -1, -1, -1]]).view(3, 1, 2, 2)
    found = of_pixels(model, x, None, model.log_prob(x))
    assert torch.equal(found["x"], x[[1, 2]])
    assert torch.allclose(found["nats"], -torch.log(torch.tensor([0.9, 0.1])).view(2, 1, 1, 1).expand(2, 1, 2, 2))


def lines_of(folder: Path, given: str | None, machines: list[str]) -> list[str]:
    """The protocol of a cell whose seeds were trained on these machines."""
    training = folder / "completer/training.json"
    training.parent.mkdir(exist_ok=True)
    seeds = [{"made": {"device": machine, "torch": "2.9"}} for machine in machines]
    training.write_text(json.dumps({"seeds": seeds}))
    cell = SimpleNamespace(
        model="completer", architecture="structured_cvae", training=training, scores=training, brought=None
    )
    return protocol(cell, Params().benchmark("mnist_binary"), [{"seed": 0, "given": given}])


def test_a_model_that_completes_images_is_named_as_such(tmp_path: Path) -> None:
    for given, named in (("image", True), ("nothing", False), (None, False)):
        said = " ".join(lines_of(tmp_path, given, ["a card"]))
        assert ("completer is shown test images outside of the reference and completes" in said) == named


def test_the_machines_that_trained_a_model_are_named(tmp_path: Path) -> None:
    assert "Trained on a card (torch 2.9)." in lines_of(tmp_path, None, ["a card"] * 3)
    both = lines_of(tmp_path, None, ["a card", "a processor", "a card"])
    assert "Trained on a card (torch 2.9) and a processor (torch 2.9)." in both
