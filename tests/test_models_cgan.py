"""The conditional GAN: the label reaches both players, by concatenation or by projection."""

import pytest
import torch

import models
from models.common import losses
from models.common.protocol import Batch, Spec

CRITICS = ["concatenation", "projection"]
SPECS = [Spec((2,), classes=3), Spec((1, 8, 8), classes=3)]
pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("spec", SPECS, ids=["points", "images"])
@pytest.mark.parametrize("critic", CRITICS)
def test_both_players_see_the_label(critic: str, spec: Spec) -> None:
    model = models.load("cgan")(spec, latent=2, width=16, critic=critic)
    x, z = torch.randn(4, *spec.shape), torch.randn(4, 2)
    one, two = torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    assert not torch.allclose(model.generate(z, one), model.generate(z, two))
    assert model.critic(x, one).shape == (4,)
    assert not torch.allclose(model.critic(x, one), model.critic(x, two))


@pytest.mark.parametrize("critic", CRITICS)
def test_losses_pair_each_datum_and_each_sample_with_the_batchs_label(critic: str) -> None:
    model = models.load("cgan")(SPECS[0], latent=2, width=8, critic=critic)
    batch = Batch(torch.randn(6, 2), torch.arange(6) % 3)
    torch.manual_seed(3)
    on_fake = model.critic(model.generate(torch.randn(6, 2), batch.label), batch.label)
    expected = losses.classification(model.critic(*batch[:2]), on_fake)
    torch.manual_seed(3)
    assert torch.isclose(model.critic_move(batch)["critic"], expected)
    torch.manual_seed(3)
    assert torch.isclose(model.generator_move(batch)["generator"], losses.non_saturating(on_fake))


@pytest.mark.parametrize("spec", SPECS, ids=["points", "images"])
def test_projection_adds_an_inner_product_to_an_unconditional_score(spec: Spec) -> None:
    critic = models.load("cgan")(spec, width=16, critic="projection").critic
    x, label = torch.randn(4, *spec.shape), torch.tensor([0, 2, 1, 2])
    features = critic.phi(x)
    by_class = critic.psi(features)[:, None] + features @ critic.vectors.weight.T  # (B, classes)
    assert torch.allclose(critic(x, label), by_class[torch.arange(4), label], atol=1e-6)
    plain = models.load("gan")(spec, width=16).critic
    extra = sum(weight.numel() for weight in critic.parameters()) - sum(w.numel() for w in plain.parameters())
    assert extra == critic.vectors.weight.numel(), "but for the vectors of the classes it is the critic of `gan`"


@pytest.mark.parametrize("critic", CRITICS)
def test_unlabelled_data_are_refused(critic: str) -> None:
    with pytest.raises(ValueError, match=r"^a conditional model needs labelled data, .* shape \(2,\) have no classes$"):
        models.load("cgan")(Spec((2,)), critic=critic)
