"""Captions of digits as words and as numbers: "a thin seven leaning left"."""

import difflib
from collections.abc import Sequence

import torch
from torch import Tensor

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WIDTHS = ("thin", "medium", "thick")
SLANTS = ("leaning left", "standing upright", "leaning right")
VOCABULARY = ("", "a", *WIDTHS, *DIGITS, "leaning", "standing", "left", "upright", "right")
LENGTH = 5  # words


def caption(digit: int, width: int, slant: int) -> str:
    return f"a {WIDTHS[width]} {DIGITS[digit]} {SLANTS[slant]}"


def tokens(text: str, vocabulary: Sequence[str] = VOCABULARY, length: int = LENGTH) -> Tensor:
    """The words of a caption by their place in the vocabulary, 0 after the last: (length,) int64.

    Raises ValueError for a word that is not in it, and for more words than there is room for.
    """
    words = text.lower().split()
    for word in words:
        if word not in vocabulary:
            near = difflib.get_close_matches(word, vocabulary, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(filter(None, vocabulary))}"
            raise ValueError(f"caption {text!r}: unknown word {word!r}: {remedy}")
    if not 0 < len(words) <= length:
        raise ValueError(f"caption {text!r}: {len(words)} words; give 1 to {length}")
    return torch.tensor([vocabulary.index(word) for word in words] + [0] * (length - len(words)))


def meanings(caption: Tensor) -> Tensor:
    """Digit, width and slant of captions (n, LENGTH): (n, 3) int64"""
    places = [(VOCABULARY.index(WIDTHS[0]), 1), (VOCABULARY.index(DIGITS[0]), 2), (VOCABULARY.index("left"), 4)]
    width, digit, slant = (caption[:, column] - first for first, column in places)
    return torch.stack([digit, width, slant], 1)
