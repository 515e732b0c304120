"""VAE-GAN: what each of the three players lessens, what the critic is shown, and who skips a move."""

import math

import pytest
import torch
from made import Affine
from torch import Tensor, nn

import models
from models.common.protocol import Batch, Spec

GAMMA = 0.3
PLAYERS = ["encoder", "decoder", "critic"]
pytestmark = pytest.mark.usefixtures("float64")


class Linear(nn.Module):
    """A critic with two features of a point, the score of which is linear in them; it remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.score = Affine(0.7, 0.1), nn.Linear(2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.shown = x
        features = self.features(x)
        return features, self.score(features)[:, 0]


def by_hand(margin: float = 100.0, loss: str = "minimax") -> nn.Module:
    torch.manual_seed(0)
    model = models.load("vae_gan")(Spec((2,)), latent=2, gamma=GAMMA, margin=margin, loss=loss)
    model.encoder, model.decoder, model.critic = nn.Linear(2, 4), Affine(0.5, -0.2), Linear()
    return model


def parts(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Every term of the paper, computed apart, with the draws of the seed that `move` sets."""
    torch.manual_seed(3)
    chance, prior = torch.randn(6, 2), torch.randn(6, 2)
    mean, log_variance = model.encoder(x).chunk(2, 1)
    rebuilt = model.decoder(mean + (0.5 * log_variance).exp() * chance)
    made = model.decoder(prior)
    (seen, on_data), (again, on_rebuilt), (_, on_made) = (model.critic(x) for x in (x, rebuilt, made))
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (0.5 * log_variance).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    unit = torch.distributions.Normal(again, 1.0).log_prob(seen).sum(1) + math.log(2 * math.pi)  # of two features
    sigmoid = [score.sigmoid() for score in (on_data, on_rebuilt, on_made)]
    fakes = 0.5 * ((1 - sigmoid[1]).log().mean() + (1 - sigmoid[2]).log().mean())
    gan, fooled = sigmoid[0].log().mean() + fakes, -0.5 * (sigmoid[1].log().mean() + sigmoid[2].log().mean())
    terms = {"KL": kl.sum(1).mean(), "features": -unit.mean(), "GAN": gan, "minimax": fakes, "non_saturating": fooled}
    return terms | {"rebuilt": rebuilt, "made": made}


def move(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    torch.manual_seed(3)
    return model.joint_move(Batch(x))


def gradient(loss: Tensor, player: nn.Module) -> Tensor:
    found = torch.autograd.grad(loss, list(player.parameters()), retain_graph=True)
    return nn.utils.parameters_to_vector(found)


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_each_player_lessens_its_own_loss(loss: str) -> None:
    model, x = by_hand(loss=loss), torch.randn(6, 2)
    terms, losses = parts(model, x), move(model, x)
    wanted = {
        "encoder": terms["KL"] + terms["features"],
        "decoder": GAMMA * terms["features"] + terms[loss],
        "critic": -terms["GAN"],
    }
    assert list(losses) == PLAYERS
    for player in PLAYERS:
        torch.testing.assert_close(losses[player], wanted[player])
        net = getattr(model, player)
        torch.testing.assert_close(gradient(losses[player], net), gradient(wanted[player], net))
    torch.testing.assert_close(model.watched["KL"], terms["KL"])
    torch.testing.assert_close(model.watched["feature distance"], terms["features"])


def test_the_encoder_hears_nothing_of_the_game_and_the_critic_nothing_of_the_distance() -> None:
    model, x = by_hand(), torch.randn(6, 2)
    before = gradient(move(model, x)["encoder"], model.encoder)
    nn.init.normal_(model.critic.score.weight)
    assert torch.equal(gradient(move(model, x)["encoder"], model.encoder), before)
    one = gradient(move(model, x)["critic"], model.critic)
    model.gamma = 50.0
    assert torch.equal(gradient(move(model, x)["critic"], model.critic), one)


def test_the_critic_is_shown_data_reconstructions_and_samples_of_the_prior() -> None:
    model, x = by_hand(), torch.randn(6, 2)
    move(model, x)
    shown = model.critic.shown
    terms = parts(model, x)
    torch.testing.assert_close(shown, torch.cat([x, terms["rebuilt"], terms["made"]]))


@pytest.mark.parametrize(
    ("on_data", "on_fakes", "decoder", "critic"),
    [
        (0.69, 0.69, True, True),
        (0.32, 0.69, True, False),  # the critic is ahead on data
        (0.69, 0.32, True, False),  # or on fakes
        (1.04, 0.69, False, True),  # the decoder is ahead
        (0.69, 1.04, False, True),
        (0.32, 1.04, True, True),  # both should skip: nobody does
        (0.34, 1.02, True, True),
    ],
)
def test_the_player_that_is_ahead_skips(on_data: float, on_fakes: float, decoder: bool, critic: bool) -> None:
    model = models.load("vae_gan")(Spec((2,)), width=8)
    found = model.turns(torch.tensor(on_data), torch.tensor(on_fakes))
    assert tuple(turn.item() for turn in found) == (decoder, critic)


@pytest.mark.parametrize(
    ("lowest", "highest", "still"),
    [(-9.0, 9.0, []), (9.0, 9.0, ["critic"]), (-9.0, -9.0, ["decoder"]), (9.0, -9.0, [])],
)
def test_who_skips_stays_where_it_is(lowest: float, highest: float, still: list[str]) -> None:
    model, x = by_hand(), torch.randn(6, 2)
    optimizers = model.optimizers()
    for bounds in ((-9.0, 9.0), (lowest, highest)):  # the first move fills the running means
        model.lowest, model.highest = bounds
        before = {player: nn.utils.parameters_to_vector(weights(model, player)) for player in PLAYERS}
        losses = move(model, x)
        for player, loss in losses.items():
            optimizers[player].zero_grad()
            loss.backward(inputs=weights(model, player), retain_graph=True)
        for player in PLAYERS:
            optimizers[player].step()
    after = {player: nn.utils.parameters_to_vector(weights(model, player)) for player in PLAYERS}
    assert [player for player in PLAYERS if torch.equal(before[player], after[player])] == still
    for player in ("decoder", "critic"):
        assert model.watched[f"{player}'s moves"].item() == (player not in still)
        assert losses[player] != 0, "the curve shows the loss of a player that skips, too"


def weights(model: nn.Module, player: str) -> list[nn.Parameter]:
    return list(getattr(model, player).parameters())


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_features_of_a_batch_have_mean_0_and_variance_1(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    critic = models.load("vae_gan")(Spec(shape), width=16).critic.double()
    x = torch.randn(200, *shape, dtype=torch.float64)
    features, score = critic(x)
    assert features.shape[0] == 200 and score.shape == (200,) and features.mean(0).abs().max() < 1e-9
    own = critic.features[:-1](x).var(0, correction=0)  # before they are normalised
    torch.testing.assert_close(features.var(0, correction=0), own / (own + 1e-5))  # 0 of a unit that is always 0
    assert (own > 1e-4).any()
