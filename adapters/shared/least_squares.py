"""Hyperparameters of alternating least squares, whoever computes it: where they are searched."""

from typing import Annotated

from recbench.adapters.shared.parameters import DECADE, LENSKIT, Count, Positive, Search

Factors = Annotated[Count, Search(2, 200, f"{LENSKIT}, cut to save time", log=True)]
Epochs = Annotated[Count, Search(5, 50, DECADE, log=True)]
Regularisation = Annotated[Positive, Search(1e-5, 1, LENSKIT, log=True)]
