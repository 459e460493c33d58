"""The loss: cross-entropy over the known labels, and that of the OOD detector."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from hangtag.domain.taxonomy import Taxonomy
from hangtag.training.data import OOD_OUTPUT, UNKNOWN, TrainingData
from hangtag.training.recipe import Recipe
from hangtag.training.workers import SINGLE_PROCESS, WorkerGroup


@dataclass(frozen=True)
class Losses:
    """The loss of each head. All mappings are by column.

    `class_weights` holds a weight per class, and `adjustments` what is added to its logit during training. `allowed`
    holds for a column its parent columns in the tree, the nearest first, each with a matrix: which classes (second
    axis) are under a class of the parent column (first axis). `teacher_weight` is the weight of a teacher's
    probabilities in addition to the label.
    """

    columns: tuple[str, ...]
    label_smoothing: float = 0.0
    ood_weight: float = 0.0
    class_weights: Mapping[str, Tensor] = field(default_factory=dict)
    adjustments: Mapping[str, Tensor] = field(default_factory=dict)
    allowed: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    teacher_weight: float = 0.0

    @classmethod
    def from_recipe(cls, recipe: Recipe, data: TrainingData) -> Self:
        """Build the losses of a recipe, from the class shares in the train split."""
        optimisation = recipe.optimisation
        counts = {column: _count_classes(data, column) for column in recipe.columns}
        weights = {column: count.sum() / (len(count) * count) for column, count in counts.items()}
        shares = {column: torch.log(count / count.sum()) for column, count in counts.items()}
        return cls(
            recipe.columns,
            optimisation.label_smoothing,
            recipe.ood.loss_weight if recipe.ood else 0.0,
            weights if optimisation.class_weights == "balanced" else {},
            {column: optimisation.logit_adjustment * share for column, share in shares.items()}
            if optimisation.logit_adjustment
            else {},
            _find_allowed(data.taxonomy, data.classes) if len(data.joined) else {},
            recipe.teacher_weight,
        )

    def to(self, device: torch.device) -> Self:
        """Return the same losses for logits on a device."""

        def move(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device) for name, tensor in tensors.items()}

        return replace(
            self,
            class_weights=move(self.class_weights),
            adjustments=move(self.adjustments),
            allowed={column: move(above) for column, above in self.allowed.items()},
        )

    def training(
        self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor], group: WorkerGroup = SINGLE_PROCESS
    ) -> Tensor:
        """Return the loss of a batch, averaged over the columns. Unknown labels contribute nothing.

        If no label is known, it is NaN without a gradient. In a group it is the share of this worker's part; the shares
        add up to the loss of the batch.
        """
        sums = [self._sum(column, logits[column].float(), targets) for column in self.columns]
        counts = group.sum([count for _, count in sums])
        losses = [total / count for (total, _), count in zip(sums, counts, strict=True) if count]
        heads = max(1, len(losses))
        if self.ood_weight:
            scores = logits[OOD_OUTPUT][:, 0].float()
            ood = functional.binary_cross_entropy_with_logits(
                scores, targets[OOD_OUTPUT].float(), reduction="sum"
            )
            losses.append(self.ood_weight * (ood / group.sum([len(scores)])[0]))
        return torch.stack(losses).sum() / heads if losses else torch.tensor(math.nan)

    def validation(self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """Return the plain loss of the labels. Training aids, such as weights of rare classes, must not affect it."""
        return Losses(self.columns, self.label_smoothing).training(logits, targets)

    def _sum(self, column: str, values: Tensor, targets: Mapping[str, Tensor]) -> tuple[Tensor, float]:
        """Return the summed loss of a column, and the weight of its labels."""
        if column in self.adjustments:
            values = values + self.adjustments[column]
        total, known = self._known(column, values, targets)
        under_parent, counted = self._under_parent(column, values, targets)
        return total + under_parent, known + counted

    def _known(self, column: str, logits: Tensor, targets: Mapping[str, Tensor]) -> tuple[Tensor, float]:
        """Return the summed loss of the known labels, and their weight."""
        weight = self.class_weights.get(column)
        known = targets[column] != UNKNOWN
        labels = targets[column][known]
        if not len(labels):
            return logits.new_zeros(()), 0
        each = functional.cross_entropy(
            logits[known], labels, weight=weight, label_smoothing=self.label_smoothing, reduction="none"
        )
        soft = targets.get(soft_name(column))
        if soft is not None and self.teacher_weight:
            taught = soft[known].float()
            # Zero for rows that the teacher does not know.
            share = self.teacher_weight * taught.sum(dim=1).clamp(max=1)
            teacher = functional.cross_entropy(logits[known], taught, reduction="none")
            each = (1 - share) * each + self.teacher_weight * teacher
        return each.sum(), float(len(labels) if weight is None else weight[labels].sum())

    def _under_parent(self, column: str, logits: Tensor, targets: Mapping[str, Tensor]) -> tuple[Tensor, int]:
        """Return the summed loss of unknown labels under a known parent, and their number.

        It is the negative log of the total probability of the classes under the parent: learning from partial labels
        (Jin & Ghahramani 2002, "Learning with multiple labels").
        """
        open_rows = targets[column] == UNKNOWN
        total, count = logits.new_zeros(()), 0
        for above, allowed in self.allowed.get(column, {}).items():
            rows = open_rows & (targets[above] != UNKNOWN)
            if bool(rows.any()):
                inside = allowed[targets[above][rows]]
                log_probabilities = functional.log_softmax(logits[rows], dim=1)
                total = total - log_probabilities.masked_fill(~inside, -torch.inf).logsumexp(dim=1).sum()
                count += int(rows.sum())
            open_rows = open_rows & ~rows
        return total, count


def soft_name(column: str) -> str:
    """Return the name of a teacher's probabilities for a column in a batch's targets."""
    return f"{column}/soft"


def _count_classes(data: TrainingData, column: str) -> Tensor:
    targets = torch.from_numpy(data.train.targets[column])
    return torch.bincount(targets[targets != UNKNOWN], minlength=len(data.classes[column])).float()


def _find_allowed(taxonomy: Taxonomy, classes: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, Tensor]]:
    """Return for each level its parent levels, the nearest first, with the classes under each class."""
    allowed: dict[str, dict[str, Tensor]] = {level: {} for level in taxonomy.levels}
    for (upper, above), (lower, below) in reversed(list(combinations(enumerate(taxonomy.levels), 2))):
        matrix = torch.zeros(len(classes[above]), len(classes[below]), dtype=torch.bool)
        for path in taxonomy.paths:
            matrix[classes[above].index(path[upper]), classes[below].index(path[lower])] = True
        matrix[~matrix.any(dim=1)] = True  # no class is known to be under it
        allowed[below][above] = matrix
    return allowed
