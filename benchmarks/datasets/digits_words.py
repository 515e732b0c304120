"""Small handwritten digits with captions of what is measured in them, such as "a thin seven leaning left".

The digits are those of `digits`; the words say the digit, and in which third of its own class its stroke width and its
slant lie (`common/strokes.py`), so that a caption asks for the same of a one as of an eight. Of each digit one of the
nine combinations of width and slant is in no training image: whether a model makes it all the same is the test, as for
coloured shapes in I. Higgins et al., "SCAN: Learning Hierarchical Compositional Visual Concepts", 2017,
arXiv:1707.03389.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from benchmarks.datasets import digits
from benchmarks.datasets.common import strokes
from benchmarks.datasets.common.captions import VOCABULARY, caption, tokens
from benchmarks.datasets.common.seeds import Seed
from benchmarks.datasets.common.splits import Split, Splits, chance


def load(*, train: PositiveInt = 1000, validation: PositiveInt = 120, seed: Seed = 0) -> Splits:
    """All other images are for tests, with those of combinations that are held out."""
    whole = digits.load()
    x, label = (torch.cat([getattr(part, name) for part in whole.parts]) for name in ("x", "label"))
    seen = x.float() * 2 / (digits.LEVELS - 1) - 1
    width, slant = (of_class(measure(seen), label) for measure in (strokes.width, strokes.slant))
    words = torch.stack([tokens(caption(*each)) for each in torch.stack([label, width, slant], 1).tolist()])
    new = held_out(label, width, slant)
    known = digits.by_class(label[~new], chance("order", seed))
    if (asked := train + validation) > len(known) - digits.CLASSES:
        most = len(known) - digits.CLASSES
        raise ValueError(f"digits_words: train + validation = {asked}: {len(known)} images can be; ask for {most}")
    order = (~new).nonzero().squeeze(1)[known]
    parts = order[:train], order[train:asked], torch.cat([order[asked:], new.nonzero().squeeze(1)])
    first, second, third = (Split(x[part], label[part], caption=words[part]) for part in parts)
    return Splits(first, second, third, digits.CLASSES, digits.LEVELS, vocabulary=VOCABULARY)


def of_class(values: Tensor, label: Tensor) -> Tensor:
    """In which third of its class each value lies."""
    return strokes.third(values, strokes.thirds(values, label, digits.CLASSES), label)


def held_out(label: Tensor, width: Tensor, slant: Tensor) -> Tensor:
    """(N,) bool: whether no image like it is trained on. One combination of each digit, others for its neighbours."""
    return 3 * width + slant == 4 * label % 9
