"""A recipe: everything that decides what a training run makes, in one TOML file."""

import dataclasses
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hangtag.datasets.splits import SplitSettings
from hangtag.domain.errors import RecipeError
from hangtag.domain.text import describe_invalid, did_you_mean
from hangtag.imaging.preprocess import Preprocessing
from hangtag.training.negatives import NEGATIVES

_PACKAGED: Final = Path(__file__).parent.parent / "recipes"
_CHECKOUT: Final = Path(__file__).parents[3] / "recipes"


def _refuse_reserved(name: str) -> str:
    if name == NEGATIVES:
        raise ValueError("the name belongs to the photos of no product")
    return name


_FIX_UNKNOWN: Final = "docs/training.md lists the values of a recipe."

SetName = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$"), AfterValidator(_refuse_reserved)]
"""What a joined set is called."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkRecipe(_Section):
    """Which network is trained, and from where it starts.

    The heads of the columns `tapped` also see the means and deviations of an early feature map.
    """

    architecture: str
    pretrained: bool
    dropout: float = Field(ge=0, lt=1)
    tapped: tuple[str, ...] = ()


class FineTuningRecipe(_Section):
    """When a pretrained backbone learns: not at all for `frozen_epochs`, then its `last_blocks` at a rate of their own.

    All layers that are not pretrained learn from the first step on. With `last_blocks` 0 the backbone stays frozen.
    """

    frozen_epochs: int = Field(ge=0)
    last_blocks: int = Field(ge=0)
    learning_rate: float = Field(gt=0)


class OptimisationRecipe(_Section):
    """How the weights are found: AdamW under a learning rate that stays (`constant`), or falls to zero (`cosine`).

    It warms up over `warmup_share` of the steps. `gradient_clip` 0 clips nothing.
    `logit_adjustment` is how much of the log of a class's share is added to its logit while training, which is
    what keeps a rare class from being forgotten (Menon et al. 2021, "Long-tail learning via logit adjustment").
    `patience` is the number of epochs without a lower validation loss after which training stops and the best epoch's
    weights are kept; 0 trains to the end and keeps the last. `ema_decay` is the share of the averaged weights that
    survives a step; 0 keeps no average. `statistics_photos` is the number of train photos from which the batch norms'
    statistics are measured anew before each validation; 0 keeps those that training gathered.
    """

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
    statistics_photos: int = Field(ge=0)
    patience: int = Field(ge=0)
    class_weights: Literal["none", "balanced"]
    precision: Literal["float32", "bfloat16"]


class AugmentationRecipe(_Section):
    """How training photos are varied. Shares are of the photo's side, zoom and light are factors around 1.

    `flip_probability` mirrors left and right, `vertical_flip_probability` top and bottom. `shear_share` is how far the
    top edge is pushed sideways against the bottom edge. `background_probability` puts a photo with a plain background
    on another one. `tint` is a factor around 1 for each channel on its own. Half of the photos get some noise, of up to
    `noise_levels` of 255. A `plain_share` of the photos is only moved: they keep background, light and sharpness, since
    the last nuance of a colour is lost in other light. In the last `plain_epochs` all photos are plain, so that
    training ends with photos like those that the model will meet most.
    """

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
    blur_probability: float = Field(default=0, ge=0, le=1)
    noise_levels: float = Field(default=0, ge=0)


class JoiningRecipe(_Section):
    """How joined sets are learnt from: `validation` is the share of each that is kept back to see how well they go.

    A photo of theirs is seen `repeats` times in an epoch. Of a set with more than `largest` photos so many are drawn;
    0 takes all.
    """

    validation: float = Field(default=0, ge=0, lt=1)
    largest: int = Field(default=0, ge=0)
    repeats: int = Field(default=1, ge=1)


class GateRecipe(_Section):
    """How a network learns what is no product at all: from so many `drawn` photos, and those named as `negatives`.

    `loss_weight` is what the gate counts beside one head.
    """

    drawn: int = Field(ge=0)
    loss_weight: float = Field(gt=0)


class NamesRecipe(_Section):
    """What the products' names make likely is learnt beside the labels, and counts `weight` of the two."""

    weight: float = Field(gt=0, le=1)


class DistillationRecipe(_Section):
    """What teachers answer to the train photos is learnt beside the labels, and counts `weight` of the two.

    `teacher` is a recipe that is trained first, where the run is told of no other teacher; with `start_from_teacher`
    the backbone starts from that one's weights.
    """

    weight: float = Field(gt=0, le=1)
    teacher: str | None = None
    start_from_teacher: bool = False


class AnswersRecipe(_Section):
    """What is decided on validation once the network has learnt.

    Thresholds are chosen so that `target_accuracy` of what the model answers is right. Rare classes are answered more
    readily, as far as it costs a head no more than `rare_class_loss` of its accuracy; None leaves them as they are.
    """

    target_accuracy: float = Field(default=0.98, gt=0.5, lt=1)
    rare_class_loss: float | None = Field(default=None, ge=0, lt=1)


class ExportRecipe(_Section):
    """How the bundle is written, and how far its logits may be from the trained network's before export fails."""

    weights: Literal["float32", "float16"]
    logit_tolerance: float = Field(gt=0)


class Recipe(_Section):
    """Everything that decides what a training run makes.

    `joins` names further sets of photos that training learns from, whatever labels they have: `custom` is the set
    beside the catalogue, and the run is told where others are. Without `fine_tuning`, every layer learns from the first
    step on. With `gate`, the network also learns to tell what is no product; with `names`, it learns from what the
    products are called, too; with `distillation`, from the answers of models that the run is told.
    """

    name: str = Field(pattern=r"^[a-z0-9_-]+$")
    description: str
    licence: str
    columns: tuple[str, ...] = Field(min_length=1)
    seed: int
    joins: tuple[SetName, ...] = ()
    joining: JoiningRecipe = JoiningRecipe()
    split: SplitSettings
    preprocessing: Preprocessing
    network: NetworkRecipe
    fine_tuning: FineTuningRecipe | None = None
    optimisation: OptimisationRecipe
    augmentation: AugmentationRecipe
    gate: GateRecipe | None = None
    names: NamesRecipe | None = None
    distillation: DistillationRecipe | None = None
    answers: AnswersRecipe = AnswersRecipe()
    export: ExportRecipe

    @model_validator(mode="after")
    def _have_one_teacher(self) -> Self:
        if self.names and self.distillation:
            raise ValueError("[names] and [distillation] both teach beside the labels; take one")
        if self.distillation and self.distillation.teacher == self.name:
            raise ValueError("a recipe cannot be its own teacher")
        if self.distillation and self.distillation.start_from_teacher and not self.distillation.teacher:
            raise ValueError("start_from_teacher needs a recipe as teacher, whose weights are there")
        return self

    @property
    def teacher_weight(self) -> float:
        """What a teacher's probabilities count beside the label."""
        teaching = self.names or self.distillation
        return teaching.weight if teaching else 0.0

    def fingerprint(self) -> str:
        """Return the SHA-256 of the recipe's values: equal for two files that differ in comments only."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def training_fingerprint(self) -> str:
        """Return the SHA-256 of what decides the weights: a run whose recipe differs in nothing else can go on."""
        later = {"name", "description", "licence", "answers", "export"}
        return hashlib.sha256(self.model_dump_json(exclude=later).encode()).hexdigest()

    def from_scratch(self) -> Self:
        """Return the recipe for random weights at the start: there is nothing in them that could be kept frozen."""
        network = self.network.model_copy(update={"pretrained": False})
        return self.model_copy(update={"network": network, "fine_tuning": None})

    def with_joins(self, names: Iterable[str]) -> Self:
        """Return the recipe with further sets to join. Raises `RecipeError` for a name that no set can have."""
        joins = tuple(dict.fromkeys([*self.joins, *names]))
        try:
            return self.model_validate(self.model_dump() | {"joins": joins})
        except ValidationError as error:
            raise RecipeError("; ".join(_describe(problem) for problem in error.errors())) from None

    def with_epochs(self, epochs: int | None) -> Self:
        """Return the recipe with another number of epochs, or itself where none is asked for."""
        if epochs is None:
            return self
        optimisation = self.optimisation.model_copy(update={"epochs": epochs})
        return self.model_copy(update={"optimisation": optimisation})


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a recipe: a path, or the name of one that comes with hangtag.

    Raises `RecipeError` when there is neither.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if path.is_file():
            return path
        raise RecipeError("there is no such recipe", where=path)
    for folder in (_PACKAGED, _CHECKOUT):
        if (folder / f"{name_or_path}.toml").is_file():
            return folder / f"{name_or_path}.toml"
    raise RecipeError(
        f"there is no recipe {name_or_path!r}",
        fix=f"Choose one of {', '.join(list_recipes())}, or name a .toml file.",
    )


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with hangtag, sorted."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    return sorted(path.stem for path in folder.glob("*.toml"))


def read_recipe(path: Path, changes: Mapping[str, object] | None = None) -> Recipe:
    """Read and check a recipe; `changes` override its values by their dotted names, `{"optimisation.epochs": 3}`.

    Raises `RecipeError` that names every field that is missing, unknown or out of range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"the recipe cannot be read ({error})", where=path) from None
    for name, value in (changes or {}).items():
        _change(values, name, value)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_describe(problem) for problem in error.errors())
        changed = f" with {', '.join(changes)} changed" if changes else ""
        raise RecipeError(problems, where=f"{path}{changed}") from None


def _change(values: dict[str, Any], name: str, value: object) -> None:
    """Put a value into the tables of a recipe. Raises `RecipeError` for a name that no recipe has."""
    known = list_keys()
    if name not in known:
        inside = [key for key in known if key.startswith(f"{name}.")]
        fix = f"Choose one of {', '.join(inside)}." if inside else did_you_mean(name, known)
        raise RecipeError(f"a recipe has no value {name!r}", where="--set", fix=fix or _FIX_UNKNOWN)
    *sections, last = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value


def list_keys() -> list[str]:
    """Return the dotted names of all values that a recipe can have, such as `optimisation.epochs`."""
    keys: list[str] = []
    for name, field in Recipe.model_fields.items():
        kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if kind is not None]
        section = next((found for found in map(_field_names, kinds) if found), None)
        keys += [name] if section is None else [f"{name}.{inner}" for inner in section]
    return keys


def _field_names(kind: Any) -> list[str] | None:  # noqa: ANN401 - an annotation can be anything
    """Return the names of a section's values, None where the kind is no section."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else None


def _describe(problem: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails, a TypedDict with optional keys
    place = ".".join(str(part) for part in problem["loc"]) or "the recipe"
    message = describe_invalid(problem)
    return f"{place}: {message[0].lower()}{message[1:]}"
