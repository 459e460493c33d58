"""The sections of a recipe."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of a recipe: immutable, without extra values."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    former_names: ClassVar[Mapping[str, str]] = {}
    """Former names of values, which are still accepted in older recipes."""

    @model_validator(mode="before")
    @classmethod
    def _read_former_names(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        twice = [old for old, new in cls.former_names.items() if old in values and new in values]
        if twice:
            raise ValueError(f"{twice[0]} is the former name of {cls.former_names[twice[0]]}; leave it out")
        return {cls.former_names.get(name, name): value for name, value in values.items()}


class NetworkRecipe(Section):
    """The network, and its initial weights.

    The heads of the columns `tapped` also see the means and deviations of an early feature map.
    """

    architecture: str
    pretrained: bool
    dropout: float = Field(ge=0, lt=1)
    tapped: tuple[str, ...] = ()


class FineTuningRecipe(Section):
    """When a pretrained backbone is trained: frozen for `frozen_epochs`, then its `last_blocks` at their own rate.

    Layers that are not pretrained are trained from the first step. With `last_blocks` 0, the backbone stays frozen.
    """

    frozen_epochs: int = Field(ge=0)
    last_blocks: int = Field(ge=0)
    learning_rate: float = Field(gt=0)


class OptimisationRecipe(Section):
    """The optimisation: AdamW with a learning rate that is `constant` or falls to zero (`cosine`).

    It warms up over `warmup_share` of the steps. `gradient_clip` 0 disables clipping. `logit_adjustment` is how much of
    the log of a class's share is added to its logit during training, which keeps rare classes from being ignored
    (Menon et al. 2021, "Long-tail learning via logit adjustment"). `patience` is the number of epochs without a lower
    validation loss after which training stops and the best epoch's weights are kept; 0 trains to the end and keeps the
    last. `ema_decay` is the weight of the previous average in a step; 0 keeps no average. `batch_norm_photos` is the
    number of train photos from which batch-norm statistics are recomputed before each validation; 0 keeps those from
    training.
    """

    former_names: ClassVar[Mapping[str, str]] = {"statistics_photos": "batch_norm_photos"}

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    peak_learning_rate: float = Field(gt=0)
    schedule: Literal["cosine", "constant"]
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    gradient_clip: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    logit_adjustment: float = Field(default=0, ge=0)
    ema_decay: float = Field(ge=0, lt=1)
    batch_norm_photos: int = Field(ge=0)
    patience: int = Field(ge=0)
    class_weights: Literal["none", "balanced"]
    precision: Literal["float32", "bfloat16"]


class AugmentationRecipe(Section):
    """Augmentation of training photos. Shares are of the photo's side; zoom and light are factors around 1.

    `flip_probability` mirrors left and right, `vertical_flip_probability` top and bottom. `shear_share` is how far the
    top edge moves sideways relative to the bottom edge. `background_probability` puts a photo with a plain background
    on another one. `tint` is a factor around 1 for each channel separately. Half of the photos get noise of up to
    `noise_levels` of 255. With `detail_probability` a photo loses detail: it is reduced to a random share of its size,
    at least `smallest_detail`, and enlarged again, so that the network learns both sharp and small photos. A
    `plain_share` of the photos is only moved: they keep background, light and sharpness, as other light hides fine
    differences of colour. In the last `plain_epochs` all photos are plain, so that training ends with photos like those
    in use. In the first `small_epochs` photos are shown at `small_size` of their size, which is cheaper; the last
    epochs then show full-size photos, as in use (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
    """

    former_names: ClassVar[Mapping[str, str]] = {"blur_probability": "detail_probability"}

    flip_probability: float = Field(ge=0, le=1)
    vertical_flip_probability: float = Field(ge=0, le=1)
    rotation_degrees: float = Field(ge=0, le=180)
    shear_share: float = Field(ge=0, lt=1)
    shift_share: float = Field(ge=0, lt=1)
    zoom_out: float = Field(gt=0, le=1)
    zoom_in: float = Field(ge=1)
    brightness: float = Field(ge=0, lt=1)
    contrast: float = Field(ge=0, lt=1)
    plain_share: float = Field(default=0, ge=0, le=1)
    plain_epochs: int = Field(default=0, ge=0)
    background_probability: float = Field(default=0, ge=0, le=1)
    tint: float = Field(default=0, ge=0, lt=1)
    detail_probability: float = Field(default=0, ge=0, le=1)
    smallest_detail: float = Field(default=0.4, gt=0, le=1)
    small_epochs: int = Field(default=0, ge=0)
    small_size: float = Field(default=0.75, gt=0, le=1)
    noise_levels: float = Field(default=0, ge=0)


class JoiningRecipe(Section):
    """How joined sets are used: `validation` is the share of each set that is held out for measuring.

    An epoch shows each of their photos `repeats` times. From a set with more than `largest` photos, this many are
    drawn; 0 takes all.
    """

    validation: float = Field(default=0, ge=0, lt=1)
    largest: int = Field(default=0, ge=0)
    repeats: int = Field(default=1, ge=1)


class OodRecipe(Section):
    """How the OOD detector is trained: with this many `drawn` images, and with negatives.

    `loss_weight` is the weight of the detector's loss, relative to one head.
    """

    drawn: int = Field(ge=0)
    loss_weight: float = Field(gt=0)


class NamesRecipe(Section):
    """Soft targets from the products' names, with a weight of `weight`; the labels have the rest."""

    weight: float = Field(gt=0, le=1)


class DistillationRecipe(Section):
    """Soft targets from teachers' predictions, with a weight of `weight`; the labels have the rest.

    `teacher` is a recipe that is trained first, unless the run is given another teacher. With `start_from_teacher`, the
    backbone starts from the teacher's weights.
    """

    weight: float = Field(gt=0, le=1)
    teacher: str | None = None
    start_from_teacher: bool = False


class AnswersRecipe(Section):
    """Choices made on the validation split after training.

    Thresholds are chosen so that `target_accuracy` of the confident answers are right. Rare classes are predicted more
    readily if this costs a head at most `rare_class_loss` of its accuracy; None leaves them unchanged.
    """

    target_accuracy: float = Field(default=0.98, gt=0.5, lt=1)
    rare_class_loss: float | None = Field(default=None, ge=0, lt=1)


class ExportRecipe(Section):
    """How the bundle is written, and how far its logits may be from the trained network's before export fails.

    With `embedding`, the bundle also returns the backbone's features. With `statistics`, it contains their means by
    class and their covariance over the train photos, which adapting needs.
    """

    weights: Literal["float32", "float16"]
    logit_tolerance: float = Field(gt=0)
    embedding: bool = True
    statistics: bool = True
