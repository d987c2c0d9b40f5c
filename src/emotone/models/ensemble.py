"""Networks that were trained alike from different seeds and answer together.

After Lakshminarayanan, Pritzel & Blundell, "Simple and Scalable Predictive Uncertainty Estimation
using Deep Ensembles" (NIPS 2017): where the members disagree, their mean is less sure.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from emotone.models.kinds import Backbone


class Ensemble(Backbone):
    """Backbones of one kind, each with weights of its own.

    Args:
        members: two or more backbones of the same sizes.

    Shape:
        in: as for each of the members.
        out: outputs of each member, ``(batch, members, classes)``. The embedding is that of each
        member, one after the other.
    """

    def __init__(self, members: Sequence[Backbone]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def each(self) -> list[Backbone]:
        """The members."""
        return [member for member in self.members if isinstance(member, Backbone)]

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Summarise an utterance once for each member, shape ``(batch, members * size)``."""
        return torch.cat([member.embed(features, lengths) for member in self.each], dim=1)

    def classify(self, embedding: Tensor) -> Tensor:
        """Compute outputs, ``(batch, members * size)`` to ``(batch, members, classes)``."""
        parts = embedding.chunk(len(self.members), dim=1)
        outputs = [member.classify(part) for member, part in zip(self.each, parts, strict=True)]
        return torch.stack(outputs, dim=1)
