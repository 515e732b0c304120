"""Models that go pixel by pixel, as mathematics: probabilities that sum to one, nothing seen that comes later, and the
same images whether what is known already is kept or computed anew. Then what only PixelCNN has: its blind spot."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common import raster
from models.common.pixels import from_levels, to_levels
from models.common.protocol import Batch, Spec

VARIANTS = {
    "pixelcnn": ("pixelcnn", {}),
    "gated": ("pixelcnn", {"gated": True}),
    "conditional": ("pixelcnn", {"gated": True, "conditional": True}),
    "row": ("pixelrnn", {"layer": "row"}),
    "diagonal": ("pixelrnn", {"layer": "diagonal"}),
}
CASES = {"binary 3x3": ((1, 3, 3), 2), "3-level 2x2": ((1, 2, 2), 3), "colour 2x2": ((3, 2, 2), 2)}
CLASSES = 3
every_variant = pytest.mark.parametrize("variant", VARIANTS)
every_size = pytest.mark.parametrize(
    ("shape", "levels"), [((1, 6, 5), 3), ((3, 3, 4), 4), ((1, 5, 1), 2), ((1, 1, 5), 2)]
)


def build(variant: str, shape: tuple[int, ...], levels: int, **sizes: int) -> nn.Module:
    """In float64, with weights further from uniform than new ones."""
    torch.manual_seed(0)
    name, hyper = VARIANTS[variant]
    sizes = {"width": 12, "depth": 2} | sizes
    model = models.load(name)(Spec(shape, CLASSES, levels), **hyper, **sizes).double().eval().requires_grad_(False)
    for weight in model.parameters():
        weight.mul_(2).add_(0.1 * torch.randn_like(weight))
    return model


def labels(model: nn.Module, n: int) -> Tensor | None:
    return torch.arange(n) % CLASSES if model.given == "label" else None


def all_images(shape: tuple[int, ...], levels: int) -> Tensor:
    grid = from_levels(torch.arange(levels), levels, like=torch.zeros((), dtype=torch.float64))
    return torch.cartesian_prod(*[grid] * math.prod(shape)).view(-1, *shape)


def dependence(model: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """(N, N) how far each logit, in the order of generation, moves with each pixel: row, column, colour."""
    x = torch.randn(1, *shape, dtype=torch.float64, generator=Generator().manual_seed(3))
    n = math.prod(shape)

    def logits(x: Tensor) -> Tensor:
        out = model(x, labels(model, 1))[0]  # (C, L, H, W)
        weights = torch.randn(out.shape, dtype=x.dtype, generator=Generator().manual_seed(4))
        return (out * weights).sum(1).permute(1, 2, 0).flatten()

    found = torch.autograd.functional.jacobian(logits, x)[:, 0]  # (N, C, H, W)
    return found.permute(0, 2, 3, 1).reshape(n, n)


def plain_loop(model: nn.Module, n: int, rng: Generator) -> Tensor:
    """The whole net for every pixel and colour, from the same uniforms."""
    x = next(model.parameters()).new_zeros(n, *model.shape)
    chance = torch.rand(x.shape, generator=rng, dtype=x.dtype)
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            for colour in range(x.shape[1]):
                log_p = model(x, labels(model, n))[:, colour, :, row, column].log_softmax(1)
                below = log_p.exp().cumsum(1)[:, :-1] <= chance[:, colour, row, column, None]
                x[:, colour, row, column] = from_levels(below.sum(1), model.levels, like=x)
    return x


@every_variant
@pytest.mark.parametrize("case", CASES)
def test_the_probabilities_of_all_images_sum_to_one(variant: str, case: str) -> None:
    shape, levels = CASES[case]
    nats = build(variant, shape, levels).log_prob(all_images(shape, levels))
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert nats.std() > 0.05


@every_variant
@pytest.mark.parametrize("colours", [1, 3])
def test_no_logit_depends_on_what_comes_later(variant: str, colours: int) -> None:
    shape = (colours, 4, 5)
    seen = dependence(build(variant, shape, 3), shape)
    assert torch.equal(seen.triu(), torch.zeros_like(seen))
    assert (seen.tril(-1) != 0).sum() > 0.5 * len(seen) * (len(seen) - 1) / 2
    if colours == 3:  # and of a pixel's own colours the later see the earlier; a dead ReLU may hide some
        own = seen.unflatten(0, (-1, 3)).unflatten(2, (-1, 3)).diagonal(dim1=0, dim2=2)  # (3, 3, H * W)
        assert all((own[late, early] != 0).float().mean() > 0.5 for late, early in ((1, 0), (2, 0), (2, 1)))


@every_variant
@every_size
def test_kept_or_computed_anew_the_image_is_the_same(variant: str, shape: tuple[int, ...], levels: int) -> None:
    """In float64: of a few hundred uniforms none lies within rounding, 1e-15, of where a level's share ends."""
    model = build(variant, shape, levels)
    drawn = model.sample(16, labels(model, 16), Generator().manual_seed(1))
    assert torch.equal(drawn, plain_loop(model, 16, Generator().manual_seed(1)))
    assert drawn.dtype == torch.float64 and drawn.std() > 0.3


@every_variant
@every_size
def test_in_float32_the_uniform_lies_in_the_share_of_the_level_drawn(
    variant: str, shape: tuple[int, ...], levels: int
) -> None:
    """To 1e-5: a share comes of sums of a hundred products and more, each rounded to 1e-7."""
    model = build(variant, shape, levels).float()
    drawn = model.sample(16, labels(model, 16), Generator().manual_seed(1))
    chance = torch.rand(drawn.shape, generator=Generator().manual_seed(1))
    share = model(drawn, labels(model, 16)).softmax(2)  # (B, C, L, H, W)
    level = to_levels(drawn, levels).unsqueeze(2)
    end = share.cumsum(2).gather(2, level).squeeze(2)  # (B, C, H, W)
    start = end - share.gather(2, level).squeeze(2)
    assert (start - 1e-5 < chance).all() and (chance < end + 1e-5).all()
    assert drawn.dtype == torch.float32 and drawn.std() > 0.3


def test_a_level_has_its_share_of_chance_and_an_impossible_one_has_none() -> None:
    log_p = torch.tensor([0.0, 0.25, 0.0, 0.75]).log().expand(5, 4)
    chance = torch.tensor([0.0, 0.2, 0.25, 0.9, 1.0])
    assert raster.inverse_distribution(log_p, chance).tolist() == [1, 1, 3, 3, 3]


@every_variant
@pytest.mark.parametrize("colours", [1, 3])
def test_sampling_and_scoring_are_the_same_distribution(variant: str, colours: int) -> None:
    model = build(variant, (colours, 4, 4), 5)
    x, nats = model.drawn(20, labels(model, 20), Generator().manual_seed(0))
    scored = raster.pixel_log_prob(model(x, labels(model, 20)), x).flatten(1).sum(1)
    assert torch.allclose(scored, nats, atol=1e-10)


@every_variant
def test_the_hidden_half_is_drawn_as_bayes_has_it(variant: str) -> None:
    shape, n = (1, 2, 2), 20_000
    model, images = build(variant, shape, 2), all_images(shape, 2)  # 16 of them, in binary order
    mask = torch.tensor([[True, True], [False, False]]).view(1, 1, 2, 2)
    seen = images[9:10].masked_fill(~mask, math.nan)  # what is hidden must not matter
    filled = model.inpaint(seen.expand(n, -1, -1, -1), mask.expand(n, -1, -1, -1), Generator().manual_seed(2))
    assert torch.equal(filled[:, :, 0], images[9:10, :, 0].expand(n, -1, -1))
    found = ((filled[:, 0, 1] + 1) @ torch.tensor([1.0, 0.5], dtype=torch.float64)).long().bincount(minlength=4) / n
    joint = model.log_prob(images)[8:12]  # (1, -1) above
    assert torch.allclose(found.double(), joint.softmax(0), atol=4 * 0.5 / math.sqrt(n))


@every_variant
def test_a_prefix_may_end_within_a_row_and_differ_between_images(variant: str) -> None:
    model = build(variant, (1, 3, 3), 4)
    x = from_levels(torch.randint(4, (9, 1, 3, 3)), 4, like=torch.zeros((), dtype=torch.float64))
    mask = (torch.arange(9) < torch.arange(1, 10)[:, None]).view(9, 1, 3, 3)
    filled = model.inpaint(x, mask, Generator().manual_seed(0))
    assert torch.equal(filled[mask], x[mask]) and not torch.equal(filled, x)


@every_variant
def test_training_reaches_the_entropy_of_the_data(variant: str) -> None:
    torch.manual_seed(0)
    name, hyper = VARIANTS[variant]
    hyper = hyper | {"width": 32, "depth": 1, "lr": 0.01}  # of few units, too many are born dead
    model = models.load(name)(Spec((1, 2, 2), CLASSES, 2), **hyper)
    (optimizer,) = model.optimizers().values()
    x = torch.tensor([[1, 1, -1, -1], [1, -1, -1, 1], [-1, -1, 1, -1], [-1, -1, -1, -1.0]]).view(4, 1, 2, 2)
    chance = torch.tensor([4, 2, 1, 1])
    batch = Batch(x.repeat_interleave(chance, 0), torch.zeros(8, dtype=torch.int64))
    for step in range(100):
        (move,) = model.moves(step)
        optimizer.zero_grad()
        loss = move(batch)["model"]
        loss.backward()
        optimizer.step()
    entropy = -(chance / 8 * (chance / 8).log()).sum().item()
    assert entropy - 1e-4 < loss.item() < entropy + 0.05


def test_a_conditional_model_is_scored_over_its_labels() -> None:
    model = build("conditional", (1, 3, 3), 2)
    x = all_images((1, 3, 3), 2)
    each = [raster.pixel_log_prob(model(x, torch.full((512,), y)), x).flatten(1).sum(1).exp() for y in range(CLASSES)]
    assert torch.allclose(model.log_prob(x).exp(), sum(each) / CLASSES)
    assert not torch.allclose(each[0], each[1], rtol=0.1)
    assert model.given == "label" and build("gated", (1, 3, 3), 2).given == "nothing"


def seen_by_masked_convolutions(height: int, breadth: int, depth: int, row: int, column: int) -> set[tuple[int, int]]:
    """The pixels that 3x3 convolutions with mask B, on one 7x7 with mask A, let a pixel know."""
    features = {(row, column)}
    for _ in range(depth):
        features |= {(i - 1, j + k) for i, j in features for k in (-1, 0, 1)} | {(i, j - 1) for i, j in features}
        features = {(i, j) for i, j in features if 0 <= i < height and 0 <= j < breadth}
    pixels = {(i - k, j + m) for i, j in features for k in range(4) for m in range(-3, 4) if k > 0 or m < 0}
    return {(i, j) for i, j in pixels if 0 <= i < height and 0 <= j < breadth}


@pytest.mark.parametrize("depth", [1, 4])
def test_the_blind_spot_is_where_it_should_be(depth: int) -> None:
    height, breadth = 5, 10
    seen = dependence(build("pixelcnn", (1, height, breadth), 2, width=24, depth=depth), (1, height, breadth)) != 0
    for pixel in range(height * breadth):
        row, column = divmod(pixel, breadth)
        known = seen_by_masked_convolutions(height, breadth, depth, row, column)
        assert {divmod(i, breadth) for i in seen[pixel].nonzero()[:, 0].tolist()} == known
        assert (row == 0 or column + 4 >= breadth) or (row - 1, column + 4) not in known  # however deep


def test_two_stacks_have_no_blind_spot() -> None:
    seen = dependence(build("gated", (1, 5, 8), 2, depth=4), (1, 5, 8)) != 0
    assert torch.equal(seen, torch.ones_like(seen).tril(-1))


@every_variant
def test_what_does_not_fit_is_refused_in_one_line(variant: str) -> None:
    model = build(variant, (1, 4, 4), 17)
    x = from_levels(torch.randint(17, (2, 1, 4, 4)), 17, like=torch.zeros((), dtype=torch.float64))
    mask = (torch.arange(16) < 8).view(1, 1, 4, 4).repeat(2, 1, 1, 1)
    off = x.clone()
    off[1, 0, 0, 1] = 0.3
    for refused in (lambda: model.log_prob(off), lambda: model.inpaint(off, mask, Generator())):
        with torch.no_grad(), pytest.raises(ValueError, match=r"a pixel is 0\.3, none of the 17 levels"):
            refused()
    for asked in (model.log_prob, lambda x: model.pixel_nats(x, labels(model, 2))):
        with pytest.raises(ValueError, match=r"a pixel is 0\.3, none of the 17 levels"):  # with gradients, as without
            asked(off)
    with torch.no_grad(), pytest.raises(ValueError, match="a pixel is nan"):
        model.log_prob(off * math.nan)
    with pytest.raises(ValueError, match=r"shows row 2, column 0 after a hidden pixel: only a prefix in raster order"):
        model.inpaint(x, ~mask, Generator())
    with pytest.raises(ValueError, match="mask"):
        model.inpaint(x, mask[:, :, :2], Generator())


@pytest.mark.parametrize("name", ["pixelcnn", "pixelrnn"])
def test_data_without_levels_are_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^{name} needs images with grey levels, the data are points of shape \(2,\)"
    ):
        models.load(name)(Spec((2,)))
    with pytest.raises(ValueError, match=r"0 levels and of shape \(1, 8, 8\)"):
        models.load(name)(Spec((1, 8, 8)))


def test_labels_need_gates_and_data_that_have_them() -> None:
    with pytest.raises(ValueError, match="set gated = True"):
        models.load("pixelcnn")(Spec((1, 8, 8), 10, 2), conditional=True)
    with pytest.raises(ValueError, match=r"shape \(1, 8, 8\) have no classes"):
        models.load("pixelcnn")(Spec((1, 8, 8), 0, 2), conditional=True, gated=True)
    with pytest.raises(ValueError, match="3 samples need 3 labels, given are None"):
        build("conditional", (1, 2, 2), 2).sample(3, None, Generator())


def test_the_pixels_of_a_conditional_model_need_a_label() -> None:
    model = build("conditional", (1, 4, 4), 2)
    with pytest.raises(ValueError, match=r"^label = None: this model needs the label of every batch$"):
        model.pixel_nats(torch.ones(2, 1, 4, 4, dtype=torch.float64))
