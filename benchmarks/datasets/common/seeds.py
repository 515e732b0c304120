"""The type of a data set's seed. Apart from the splits, which are read where there may be no pydantic."""

from typing import Annotated

from pydantic import Field

Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy's generators take too
