"""Captions as codes: a small recurrent encoder of words, trained along with whom it serves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.common.protocol import Spec

EMBEDDING, CODE = 32, 32  # numbers of a word, and of a caption


def check_captions(spec: Spec, *, model: str) -> None:
    if spec.words < 2:
        raise ValueError(f"{model} needs captions, the data of shape {spec.shape} have none: choose data that have")


class Words(nn.Module):
    """Captions (B, L) of word numbers, 0 after the last -> (B, CODE): a gated recurrent unit's state after the last."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, EMBEDDING)
        self.unit = nn.GRUCell(EMBEDDING, CODE)

    def forward(self, caption: Tensor) -> Tensor:
        read = self.embedding(caption)  # (B, L, EMBEDDING)
        state = read.new_zeros(len(caption), CODE)
        for place in range(caption.shape[1]):
            state = torch.where((caption[:, place] > 0)[:, None], self.unit(read[:, place], state), state)
        return state


def beside(x: Tensor, code: Tensor) -> Tensor:
    """(B, C, ...), (B, CODE) -> (B, C + CODE, ...): on an image as constant planes"""
    planes = code.reshape(*code.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes.to(x.dtype)], 1)


def with_code(spec: Spec) -> Spec:
    """What data of `spec` are once a caption's code stands `beside` them."""
    return spec._replace(shape=(spec.shape[0] + CODE, *spec.shape[1:]))


def asked(given: Tensor | None, n: int, model: str) -> Tensor:
    """The captions that n samples are made for."""
    if given is None or len(given) != n:
        raise ValueError(
            f"{n} samples of {model} need {n} captions, given are {given if given is None else len(given)}"
        )
    return given
