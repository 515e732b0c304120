"""What samples are compared with, what the oracle shows, and the likelihoods beside them."""

import math
from pathlib import Path

import pytest
import torch
from made import points
from torch import Generator, Tensor, nn

import models
from benchmarks import datasets
from benchmarks.datasets import Split, Splits, Truth
from benchmarks.metrics.judged_modes import histogram, kl_divergence
from benchmarks.metrics.likelihood import score
from models.common.protocol import HasLikelihood
from pipeline import check, params
from pipeline.data import Data
from pipeline.evaluation import evidence
from pipeline.evaluation.sampling import asked, halves
from pipeline.evaluation.view import TESTED, View
from pipeline.training.numerics import Clock

ROOT = Path(__file__).parents[1]


def resident(splits: Splits) -> Data:
    return Data(*splits)


@pytest.fixture(scope="module")
def digits() -> Data:
    return resident(datasets.load("digits", Path(), {}))


def chance(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


class Normal(nn.Module):
    """A standard normal, whose likelihood is stated in closed form."""

    given, bound, estimator = "nothing", False, "exact"

    def moves(self, step: int) -> tuple[()]:
        return ()

    def constrain(self) -> None:
        """Nothing."""

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return torch.randn(n, 2, generator=rng)

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.distributions.Normal(0, 1).log_prob(x).sum(1)


def test_halves_have_nothing_in_common_and_are_others_for_each_seed(digits: Data) -> None:
    drawn = [halves(digits, "digits", seed, 358) for seed in range(5)]
    for half in drawn:
        both = torch.cat(half)
        assert len(half.reference) == len(half.oracle) == 358 and len(both.unique()) == 716
        assert both.min() >= 0 and both.max() < 717
    for first in drawn:
        for other in drawn:
            # of 358 places half are expected in common, 179 +- 6.7
            assert first is other or 145 < len(set(first.reference.tolist()) & set(other.reference.tolist())) < 213
    again, elsewhere = halves(digits, "digits", 0, 358), halves(digits, "mnist", 0, 358)
    assert torch.equal(torch.cat(again), torch.cat(drawn[0])) and not torch.equal(
        torch.cat(again), torch.cat(elsewhere)
    )


def test_halves_hang_on_places_and_not_on_bytes(digits: Data) -> None:
    other = Data(digits.train, digits.validation, Split(16 - digits.test.x, digits.test.label), 10, 17)
    assert torch.equal(torch.cat(halves(other, "digits", 3, 100)), torch.cat(halves(digits, "digits", 3, 100)))


def test_a_model_and_the_oracle_of_a_seed_are_compared_with_the_same(digits: Data, tmp_path: Path) -> None:
    half = halves(digits, "digits", 1, 358)
    real = View(tmp_path / "no judge", digits, half.reference).of_benchmark(set())["real"]
    assert torch.equal(real, digits.as_input(digits.test.x[half.reference]))
    oracle = evidence.of_oracle(digits, half.oracle, chance())
    assert torch.equal(oracle["given_labels"], digits.test.labels[half.oracle])
    rows = [{row.tobytes() for row in digits.to_levels(x).numpy()} for x in (real, oracle["fake"])]
    trained = {row.tobytes() for row in digits.train.x.numpy()}
    assert not rows[0] & rows[1] and not (rows[0] | rows[1]) & trained


def test_the_oracle_has_classes_as_often_as_fresh_data_do(digits: Data) -> None:
    """KL of two histograms of n draws each: (K - 1) / n on average, as chi squared has it; that both are of one part
    makes no difference, since what one has more of the other has less of."""
    n, seeds = 358, 400
    found = [
        kl_divergence(**{
            name: histogram(name=name, labels=digits.test.labels[part], classes=10)
            for name, part in zip(("real", "fake"), halves(digits, "digits", seed, n), strict=True)
        })
        for seed in range(seeds)
    ]  # fmt: skip
    spread = math.sqrt(2 * 9) / n  # of chi squared with 9 degrees of freedom, over n
    assert sum(found) / seeds == pytest.approx(9 / n, abs=5 * spread / math.sqrt(seeds))


def test_more_samples_than_half_of_the_test_part_are_refused(digits: Data) -> None:
    with pytest.raises(ValueError) as error:
        halves(digits, "digits", 0, 359)
    assert str(error.value) == (
        "digits: evaluation.samples = 359: as many of the 717 test data are the reference, and as many the oracle's; "
        "ask for 358 at most"
    )


def test_check_refuses_them_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = params.Params(ROOT)
    ring = project.benchmark("ring")
    monkeypatch.setitem(project.read, "ring", ring.model_copy(update={"data": {"test": 99_999}}))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^params\.yaml: toys\.evaluation\.samples: ring: .* of the 99999 test data"):
        check.check(project)


def test_the_likelihood_of_training_data_stands_beside_that_of_test_data() -> None:
    train, test = points(5000, 1) * 0.5, points(12_000, 2) * 2
    data = Data(Split(train), Split(points(10, 3)), Split(test))
    model = Normal()
    assert isinstance(model, HasLikelihood)
    found = evidence.of_model(model, "plane", data, torch.arange(100), chance(), {"log_prob", "train_log_prob"})
    assert len(found["log_prob"]) == TESTED and len(found["train_log_prob"]) == evidence.LEARNT
    values = score(**{name: found[name] for name in ("log_prob", "train_log_prob")}, dims=2, levels=0)
    # in float64 by hand: log(2 pi) + |x|^2 / 2
    exact, learnt = (
        math.log(2 * math.pi) + x.double().square().sum(1).mean().item() / 2 for x in (test[:10_000], train[:2000])
    )
    assert values["nats"] == pytest.approx(exact, rel=1e-6)
    assert values["nats_train"] == pytest.approx(learnt, rel=1e-6)
    assert values["nats_gap"] == pytest.approx(exact - learnt, rel=1e-5)
    assert learnt == pytest.approx(math.log(2 * math.pi) + 0.25, abs=0.05)


def test_as_many_training_data_as_test_data_where_these_are_few() -> None:
    data = Data(Split(points(5000, 1)), Split(points(10, 3)), Split(points(300, 2)))
    found = evidence.of_model(Normal(), "plane", data, torch.arange(100), chance(), {"log_prob"})
    assert len(found["log_prob"]) == len(found["train_log_prob"]) == 300


def test_a_likelihood_that_no_metric_asks_for_is_not_computed() -> None:
    """By an equation it takes minutes."""
    data = Data(*[Split(points(100, 1))] * 3)
    found = evidence.of_model(Normal(), "plane", data, torch.arange(9), chance(), set())
    assert not {"log_prob", "train_log_prob", "estimator", "pixels"} & found.keys()


def test_averages_of_weights_are_not_counted_as_parameters(digits: Data) -> None:
    model = models.build("edm", digits.spec, {})
    assert evidence.numbers(model) == sum(each.numel() for each in model.net.net.parameters())
    model = models.build("vae", digits.spec, {})
    assert evidence.numbers(model) == sum(each.numel() for each in model.parameters())


def test_a_model_that_takes_long_is_scored_on_the_first_data(digits: Data) -> None:
    model = models.build("edm", digits.spec, {"nodes": 1, "width": 8}).eval()
    x = digits.as_input(digits.test.x[:5])
    assert len(evidence.log_prob(model, x, digits)) == 5
    model.scored = 2
    assert torch.equal(evidence.log_prob(model, x, digits), model.log_prob(x[:2]))
    assert torch.equal(evidence.log_prob(model, x, digits, rough=True), model.rough_log_prob(x[:2]))
    found = evidence.of_model(model, "digits", digits, torch.arange(2), chance(), {"log_prob"})
    assert torch.equal(found["train_log_prob"], model.rough_log_prob(digits.as_input(digits.train.x[:2])))


def test_the_oracle_of_points_is_the_truth() -> None:
    truth = Truth(torch.tensor([[0.0, 0.0]]), 1.0)
    data = Data(Split(points(3000, 1)), Split(points(10, 3)), Split(points(300, 2)), truth=truth)
    found = evidence.of_oracle(data, torch.arange(100), chance())
    exact, learnt = (Normal().log_prob(x) for x in (data.test.x, data.train.x[:2000]))
    torch.testing.assert_close(found["log_prob"], exact)
    torch.testing.assert_close(found["train_log_prob"], learnt)
    assert torch.equal(found["fake"], truth.sample(100, chance()).x)


def test_the_milliseconds_are_those_of_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Clock):
        def add(self) -> None:
            self.seconds = 3.0

    monkeypatch.setattr(evidence, "Clock", Stopped)
    fake, milliseconds = evidence.timed(Normal(), 600, None, chance())
    assert len(fake) == 600 and milliseconds == pytest.approx(5)


def test_a_critic_estimates_from_test_data_to_samples() -> None:
    class Judged(Normal):
        divergence = "W1"

        def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
            return real.mean() - fake.mean()

    data = Data(Split(points(20, 1)), Split(points(10, 3)), Split(points(300, 2) + 7))
    found = evidence.of_model(Judged(), "points", data, torch.arange(100), chance(), {"estimate"})
    assert found["estimated"] == "W1" and found["estimate"] == pytest.approx(7, abs=0.5)


def test_images_to_complete_are_not_the_reference(digits: Data) -> None:
    class Completer(Normal):
        given = "image"

    half = halves(digits, "digits", 0, 358)
    shown = asked(Completer(), digits, 500, chance(), half.oracle)
    rows = {row.tobytes() for row in digits.to_levels(shown).numpy()}
    assert rows <= {row.tobytes() for row in digits.test.x[half.oracle].numpy()}
    training = {row.tobytes() for row in digits.to_levels(asked(Completer(), digits, 500, chance())).numpy()}
    assert training <= {row.tobytes() for row in digits.validation.x.numpy()}, (
        "while it trains, of those for validation"
    )
