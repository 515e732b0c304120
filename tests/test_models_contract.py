"""What every model must hold, over models.names(): a new file in models/ is tested by being there."""

import ast
import contextlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common.pixels import from_levels
from models.common.protocol import (
    Batch,
    Completes,
    Constrains,
    Encodes,
    EstimatesDivergence,
    Finishes,
    HasLikelihood,
    HasRate,
    Inpaints,
    Spec,
    Supervised,
    TranslatesBack,
)

SPECS = {
    "points": Spec((2,)),
    "labelled points": Spec((2,), classes=8, partner=(2,)),
    "grey images": Spec((1, 8, 8), classes=10, levels=17, partner=(1, 8, 8), words=9),
    "binary images": Spec((1, 8, 8), levels=2),
    "colour images": Spec((3, 8, 8), classes=10, levels=4, partner=(1, 8, 8)),
    "clips": Spec((5, 1, 8, 8), levels=17, seen=2),
    "clips of which nothing is given": Spec((5, 1, 8, 8), levels=17),
}
B = 6
Case = tuple[str, Spec]


def build(name: str, spec: Spec, seed: int = 0) -> nn.Module:
    """A small model in training mode; skips where the model refuses the data."""
    torch.manual_seed(seed)
    constructor = models.load(name)
    if spec.partner and getattr(constructor, "given", "clip or nothing") != "partner":
        pytest.skip("it models data of one domain, whatever the other is")
    small = {"width": 16} if "width" in models.hyperparameters(constructor) else {}
    try:
        return constructor(spec, **small)
    except ValueError as refusal:
        assert str(spec.shape) in str(refusal), "a refusal names the data"
        pytest.skip(str(refusal))


def some_batches(spec: Spec, count: int, dtype: torch.dtype = torch.float32) -> list[Batch]:
    """Data of `spec` from a generator of their own."""
    rng = Generator().manual_seed(5)
    batches = []
    for _ in range(count):
        x = some(spec.shape, spec, rng).to(dtype)
        label = torch.randint(spec.classes, (B,), generator=rng) if spec.classes else None
        caption = torch.randint(1, spec.words, (B, 4), generator=rng) if spec.words else None
        partner = some(spec.partner, spec, rng).to(dtype) if spec.partner else None
        batches.append(Batch(x, label, partner=partner, caption=caption))
    return batches


def some(shape: tuple[int, ...], spec: Spec, rng: Generator) -> Tensor:
    """(B, *shape), images of the levels of spec"""
    x = torch.randn(B, *shape, generator=rng)
    return from_levels(torch.randint(spec.levels, x.shape, generator=rng), spec.levels, like=x) if spec.levels else x


def take_steps(model: nn.Module, optimizers: dict, batches: list[Batch], start: int = 0) -> list[dict[str, Tensor]]:
    """The engine's loop in small; the losses of every move."""
    record = []
    for step, batch in enumerate(batches, start):
        for move in model.moves(step):
            losses = move(at(step, batch))
            record.append({player: loss.detach() for player, loss in losses.items()})
            for player, loss in losses.items():
                optimizers[player].zero_grad()
                loss.backward(inputs=owned(optimizers[player]), retain_graph=True)
            for player in losses:
                optimizers[player].step()
            if isinstance(model, Constrains):
                model.constrain()
    return record


def at(step: int, batch: Batch) -> Batch:
    """The batch of that step."""
    return batch._replace(step=torch.tensor(step))


def owned(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def draw(model: nn.Module, spec: Spec, seed: int = 0, n: int = B, dtype: torch.dtype = torch.float32) -> Tensor:
    given = None
    if model.given == "label":
        given = torch.arange(n) % spec.classes
    if model.given in ("image", "partner", "clip"):
        (batch,) = some_batches(spec, 1, next((weight.dtype for weight in model.parameters()), dtype))
        given = {"image": batch.x, "partner": batch.partner, "clip": batch.x[:, : spec.seen]}[model.given]
    if model.given == "caption":
        given = 1 + torch.arange(4 * n).view(n, 4) % (spec.words - 1)
    with torch.no_grad():
        return model.eval().sample(n, given, Generator().manual_seed(seed))


def fitting(name: str) -> Spec:
    """The first data that the model fits, images before points."""
    for spec in sorted(SPECS.values(), key=lambda spec: -len(spec.shape)):
        with contextlib.suppress(ValueError):
            models.load(name)(spec)
            return spec
    raise AssertionError(f"{name} fits no data")


@pytest.fixture(params=SPECS)
def spec(request: pytest.FixtureRequest) -> Spec:
    return SPECS[request.param]


@pytest.fixture(params=models.names())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(name: str, spec: Spec) -> Iterator[nn.Module]:
    yield build(name, spec)


def test_fits_some_data(name: str) -> None:
    assert isinstance(models.load(name)(fitting(name)), nn.Module)  # with the defaults, too


def test_every_parameter_belongs_to_one_player(model: nn.Module) -> None:
    players = [id(parameter) for optimizer in model.optimizers().values() for parameter in owned(optimizer)]
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert len(players) == len(set(players)) and set(players) == trained


def test_only_the_named_players_move_and_all_of_them_do(model: nn.Module, spec: Spec) -> None:
    optimizers, moved = model.optimizers(), set()
    names = {id(parameter): key for key, parameter in model.named_parameters()}
    for step, batch in enumerate(some_batches(spec, 12)):
        for move in model.moves(step):
            before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
            losses = move(at(step, batch))
            for loss in losses.values():
                assert loss.shape == () and loss.isfinite()
            for player, loss in losses.items():
                loss.backward(inputs=owned(optimizers[player]), retain_graph=True)
            assert all(parameter.grad is not None for player in losses for parameter in owned(optimizers[player]))
            for player in losses:
                optimizers[player].step()
                optimizers[player].zero_grad()
            changed = {key for key, now in model.named_parameters() if not torch.equal(now, before[key])}
            allowed = {names[id(parameter)] for player in losses for parameter in owned(optimizers[player])}
            assert changed and changed <= allowed
            moved |= changed
    for optimizer in optimizers.values():
        assert moved & {names[id(parameter)] for parameter in owned(optimizer)}


def test_sampling_takes_chance_from_rng_only(model: nn.Module, spec: Spec) -> None:
    take_steps(model, model.optimizers(), some_batches(spec, 2))
    outside = torch.get_rng_state()
    first, again, other = draw(model, spec), draw(model, spec), draw(model, spec, seed=1)
    assert torch.equal(torch.get_rng_state(), outside)
    assert torch.equal(first, again)
    certain = ("partner", "clip")
    assert model.given in certain or not torch.equal(first, other), "only a translation or a prediction may be certain"
    assert first.shape == (B, *spec.shape) and first.isfinite().all()
    if len(spec.shape) > 1:
        assert first.abs().max() <= 1


def test_sampling_is_conditional_where_it_says_so(model: nn.Module, spec: Spec) -> None:
    assert model.given in ("nothing", "label", "image", "partner", "clip", "caption")
    if model.given != "nothing":
        with pytest.raises(ValueError, match=model.given):
            model.sample(B, None, Generator())
    if model.given == "partner":
        with pytest.raises(ValueError, match="partner"):
            model.sample(B, some_batches(spec, 1)[0].partner[1:], Generator())
    if model.given == "caption":
        told = (torch.full((B, 3), word) for word in (1, 2))
        assert not torch.equal(*(model.eval().sample(B, words, Generator().manual_seed(0)) for words in told))
    if model.given == "label":
        one, two = (model.eval().sample(B, torch.full((B,), label), Generator().manual_seed(0)) for label in (0, 1))
        assert not torch.equal(one, two)


def test_a_predicted_clip_begins_with_what_is_given_and_depends_on_nothing_else(name: str) -> None:
    spec = SPECS["clips"]
    model = build(name, spec).eval()
    if model.given == "nothing":
        pytest.skip("it makes clips of nothing")
    (batch,) = some_batches(spec, 1)
    seen = batch.x[:, :2]
    with torch.no_grad():
        one, two = (model.sample(B, x, Generator().manual_seed(0)) for x in (seen, seen.flip(0)))
    assert torch.equal(one[:, :2], seen) and torch.equal(two[:, :2], seen.flip(0))
    assert not torch.equal(one[:, 2:], two[:, 2:])


def test_clips_of_which_all_is_given_are_refused(name: str) -> None:
    if build(name, SPECS["clips"]).given == "nothing":
        pytest.skip("it makes clips of nothing")
    with pytest.raises(ValueError, match=r"no frame to predict: of clips of shape \(5, 1, 8, 8\) 5 are given"):
        models.load(name)(SPECS["clips"]._replace(seen=5))


def test_a_translation_needs_another_domain_and_depends_on_it(name: str) -> None:
    if getattr(models.load(name), "given", "") != "partner":  # of a clip's models it is the data's
        pytest.skip("it does not translate")
    image = Spec((1, 8, 8), levels=17)
    for bad in (Spec((2,)), Spec((2,), partner=(3,)), image, image._replace(partner=(2,))):
        with pytest.raises(ValueError, match="^" + name) as refusal:
            models.load(name)(bad)
        assert str(bad.shape) in str(refusal.value)
    spec = SPECS["labelled points"]
    model, (batch,) = build(name, spec), some_batches(spec, 1)
    if isinstance(model, Finishes):
        with torch.no_grad():
            model.finish([batch])
    same = model.eval().sample(B, batch.partner, Generator().manual_seed(0))
    assert not torch.equal(same, model.sample(B, batch.partner + 1, Generator().manual_seed(0)))
    assert not isinstance(model, Supervised) or model.needs == "pairs"


def test_state_holds_all_that_sampling_needs(name: str, model: nn.Module, spec: Spec) -> None:
    batches = some_batches(spec, 6)
    take_steps(model, model.optimizers(), batches)
    if isinstance(model, Finishes):
        with torch.no_grad():
            model.eval().finish(batches)
    copy = build(name, spec, seed=1)
    assert not model.state_dict() or not torch.equal(draw(copy, spec), draw(model, spec))
    copy.load_state_dict(model.state_dict())
    assert torch.equal(draw(copy, spec), draw(model, spec))


def test_abilities_do_as_they_say(model: nn.Module, spec: Spec) -> None:
    (batch,) = some_batches(spec, 1)
    outside = torch.get_rng_state()
    with torch.no_grad():
        model.eval()
        if isinstance(model, HasLikelihood):
            nats = model.log_prob(batch.x)
            assert nats.shape == (B,) and nats.isfinite().all() and torch.equal(nats, model.log_prob(batch.x))
            assert not spec.levels or nats.max() <= 0, "discrete pixels have probabilities"
            assert model.bound in (True, False) and model.estimator
        if isinstance(model, Encodes):
            assert model.encode(batch.x).shape == (B, model.latent)
            assert model.reconstruct(batch.x).shape == model.decode(model.encode(batch.x)).shape == batch.x.shape
        if isinstance(model, HasRate):
            rate, distortion = model.rate_distortion(batch.x)
            assert rate.shape == distortion.shape == (B,) and (rate >= 0).all() and distortion.isfinite().all()
            assert torch.equal(distortion, model.rate_distortion(batch.x)[1])
        if isinstance(model, Completes):
            nats = model.conditional_log_prob(batch.x)
            assert nats.shape == (B,) and (nats < 0).all() and torch.equal(nats, model.conditional_log_prob(batch.x))
            assert model.task and model.conditional_estimator and model.given == "image"
        if isinstance(model, EstimatesDivergence):
            assert isinstance(model.divergence, str) and model.estimate(batch.x[1:], batch.x).isfinite()
            none = model.estimate(batch.x, batch.x)
            assert none.shape == () and none <= 1e-6, "data do not diverge from themselves, whatever the critic says"
        if isinstance(model, TranslatesBack):
            back, again = (model.translate_back(batch.x, Generator().manual_seed(0)) for _ in range(2))
            assert torch.equal(back, again) and back.shape == batch.partner.shape and back.isfinite().all()
    assert torch.equal(torch.get_rng_state(), outside)


def test_holes_are_filled_and_the_rest_is_left_alone(model: nn.Module, spec: Spec) -> None:
    if not isinstance(model, Inpaints):
        pytest.skip("it does not fill holes")
    (batch,) = some_batches(spec, 1)
    if len(spec.shape) != 3:
        with pytest.raises(ValueError, match="mask"):
            model.inpaint(batch.x, torch.ones(B, 1, dtype=torch.bool), Generator().manual_seed(0))
        return
    mask = torch.ones(B, 1, *spec.shape[1:], dtype=torch.bool)
    mask[:, :, spec.shape[1] // 2 :] = False  # the lower half is missing: a prefix, which all can condition on
    broken = torch.where(mask, batch.x, 1.0)
    with torch.no_grad():
        model.eval()
        first, again = (model.inpaint(broken, mask, Generator().manual_seed(0)) for _ in range(2))
        assert torch.equal(first, again) and first.shape == batch.x.shape
        assert first.isfinite().all() and first.abs().max() <= 1
        assert torch.equal(torch.where(mask, first, 0.0), torch.where(mask, batch.x, 0.0))
        for wrong in (mask[:, :, :-1], mask.float(), mask[:-1]):
            with pytest.raises(ValueError, match="mask"):
                model.inpaint(broken, wrong, Generator().manual_seed(0))


def test_float64_clean(model: nn.Module, spec: Spec) -> None:
    model.double()
    batches = some_batches(spec, 6, torch.float64)
    for losses in take_steps(model, model.optimizers(), batches):
        assert all(loss.dtype == torch.float64 for loss in losses.values())
    with torch.no_grad():
        model.eval()
        if isinstance(model, Finishes):
            model.finish(batches)
        if isinstance(model, HasLikelihood):
            assert model.log_prob(batches[0].x).dtype == torch.float64
    assert draw(model, spec, dtype=torch.float64).dtype == torch.float64
    assert all(value.dtype == torch.float64 for value in model.state_dict().values() if value.is_floating_point())


def test_losses_are_exact_under_autocast(model: nn.Module, spec: Spec) -> None:
    (batch,) = some_batches(spec, 1)
    for step in range(6):
        for move in model.moves(step):
            with torch.autocast("cpu", torch.bfloat16):
                losses = move(at(step, batch))
            assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())


def test_a_resumed_run_is_the_same_run(name: str, model: nn.Module, spec: Spec, tmp_path: Path) -> None:
    batches, optimizers = some_batches(spec, 14), model.optimizers()
    take_steps(model, optimizers, batches[:7])
    states = {player: optimizer.state_dict() for player, optimizer in optimizers.items()}
    torch.save((model.state_dict(), states, torch.get_rng_state()), tmp_path / "checkpoint.pt")
    uninterrupted = take_steps(model, optimizers, batches[7:], start=7)

    resumed = build(name, spec, seed=1)
    weights, states, chance = torch.load(tmp_path / "checkpoint.pt")
    resumed.load_state_dict(weights)
    again = resumed.optimizers()
    for player, state in states.items():
        again[player].load_state_dict(state)
    torch.set_rng_state(chance)
    assert take_steps(resumed, again, batches[7:], start=7) == uninterrupted
    for key, value in model.state_dict().items():
        assert torch.equal(resumed.state_dict()[key], value), key


def test_hyperparameters_are_typed_keywords_with_defaults(name: str) -> None:
    spec, *others = inspect.signature(models.load(name)).parameters.values()
    assert spec.name == "spec"
    assert all(
        each.kind is each.KEYWORD_ONLY or (each.kind, each.name) == (each.VAR_KEYWORD, "base") for each in others
    )
    for parameter in models.hyperparameters(models.load(name)).values():
        assert parameter.default is not parameter.empty and not isinstance(parameter.annotation, str)
    with pytest.raises(TypeError, match="nonsense"):
        models.load(name)(fitting(name), nonsense=1)


@pytest.mark.parametrize("bad", [0, float("nan")])
def test_bad_values_are_named(name: str, bad: float) -> None:
    spec, constructor = fitting(name), models.load(name)
    for key, parameter in models.hyperparameters(constructor).items():
        if parameter.annotation in (int, float):
            with pytest.raises(ValueError, match=rf"{key} = -1: must") as refusal:
                constructor(spec, **{key: -1})
            zero_fits = re.search(r"must be 0 or more|must lie in \[0", str(refusal.value))
            if bad != 0 or not zero_fits:
                with pytest.raises(ValueError, match=rf"{key} = {bad}: must"):
                    constructor(spec, **{key: bad})
        if isinstance(parameter.default, str):
            with pytest.raises(ValueError, match=f"{key} = 'nonsense'"):
                constructor(spec, **{key: "nonsense"})


def test_the_file_cites_its_paper_and_stands_alone(name: str) -> None:
    source = (Path(models.__file__).parent / f"{name}.py").read_text()
    tree = ast.parse(source)
    citation = ast.get_docstring(tree)
    assert re.search(r"\b(19|20)\d\d\b", citation) and re.search(r"arXiv:\d{4}\.\d{4,5}|doi:10\.", citation)
    assert "Departure: " in citation
    assert len(source.splitlines()) < 150
    for node in ast.walk(tree):
        imported = [node.module] if isinstance(node, ast.ImportFrom) else []
        imported += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in imported:
            ours = (Path(models.__file__).parents[1] / module.split(".")[0]).is_dir()
            assert not ours or module.startswith("models.common"), f"{name} imports {module}"
