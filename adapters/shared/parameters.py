"""The kinds of hyperparameters: which values a field of an adapter may take.

An adapter annotates its fields with these. `recbench.adapters.create` checks what a user has typed
against them, and refuses a value out of range with a `UsageError`.
"""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
NaturalNumber = Annotated[int, Field(ge=0)]  # a count that may be 0
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]  # 1 would leave nothing over
