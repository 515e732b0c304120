"""The contestants, one file per paper: a file here is a model, under its own name."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from models.common.protocol import Model, Spec


def names() -> list[str]:
    """Every model there is, sorted."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))


def load(name: str) -> type[Model]:
    """The class `Model` of models/<name>.py."""
    if name not in names():
        nearest = get_close_matches(name, names(), n=1)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(names())}"
        raise ValueError(f"no model is called {name!r}: {remedy}")
    architecture: type[Model] = import_module(f"{__name__}.{name}").Model
    return architecture


def hyperparameters(model: type[Model]) -> dict[str, Parameter]:
    """What its constructor takes beside the spec, by name; where that ends in `**base`, also what the class above it
    takes."""
    found: dict[str, Parameter] = {}
    for each in (each for each in model.__mro__ if "__init__" in vars(each)):
        parameters = signature(vars(each)["__init__"], eval_str=True).parameters.values()
        own = {parameter.name: parameter for parameter in parameters if parameter.kind is Parameter.KEYWORD_ONLY}
        found |= {name: parameter for name, parameter in own.items() if name not in found}
        if not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def build(name: str, spec: Spec, settings: dict[str, Any]) -> Model:
    """The model ``name`` for data of ``spec``; a list among its settings is a tuple of its constructor's."""
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    return load(name)(spec, **given)
