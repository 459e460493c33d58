"""Recipes: everything that decides what a training produces, in one TOML file."""

import dataclasses
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import to_json

from hangtag.datasets.splits import SplitSettings
from hangtag.domain.errors import RecipeError
from hangtag.domain.text import describe_invalid, did_you_mean
from hangtag.imaging.preprocess import Preprocessing
from hangtag.training.negatives import NEGATIVES
from hangtag.training.recipe_sections import (
    AnswersRecipe,
    AugmentationRecipe,
    DistillationRecipe,
    ExportRecipe,
    FineTuningRecipe,
    JoiningRecipe,
    NamesRecipe,
    NetworkRecipe,
    OodRecipe,
    OptimisationRecipe,
    Section,
)

_PACKAGED: Final = Path(__file__).parent.parent / "recipes"
_CHECKOUT: Final = Path(__file__).parents[3] / "recipes"


def _refuse_reserved(name: str) -> str:
    if name == NEGATIVES:
        raise ValueError("this name is reserved for photos that show no product")
    return name


_FIX_UNKNOWN: Final = "docs/training.md lists the values of a recipe."

SetName = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$"), AfterValidator(_refuse_reserved)]
"""The name of a joined set."""


class Recipe(Section):
    """Everything that decides what a training produces.

    `joins` lists other labelled sets to train on: `custom` is the catalogue's custom set; the paths of others are given
    to the run. Without `fine_tuning`, all layers are trained from the first step. `ood` trains an OOD detector; `names`
    uses the products' names as soft targets; `distillation` the predictions of teachers.
    """

    former_names: ClassVar[Mapping[str, str]] = {"gate": "ood"}

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
    ood: OodRecipe | None = None
    names: NamesRecipe | None = None
    distillation: DistillationRecipe | None = None
    answers: AnswersRecipe = AnswersRecipe()
    export: ExportRecipe

    @model_validator(mode="after")
    def _leave_names_of_outputs(self) -> Self:
        taken = sorted({"embedding", "not_a_product", "photos"} & set(self.columns))
        if taken:
            raise ValueError(
                f"{taken[0]} is the name of an input or output of every model; rename the column"
            )
        return self

    @model_validator(mode="after")
    def _have_one_teacher(self) -> Self:
        if self.names and self.distillation:
            raise ValueError("[names] and [distillation] both add soft targets; use one of them")
        if self.distillation and self.distillation.teacher == self.name:
            raise ValueError("a recipe cannot be its own teacher")
        if self.distillation and self.distillation.start_from_teacher and not self.distillation.teacher:
            raise ValueError("start_from_teacher needs a recipe as the teacher, whose weights are available")
        return self

    @property
    def teacher_weight(self) -> float:
        """The weight of a teacher's probabilities, in addition to the label."""
        teaching = self.names or self.distillation
        return teaching.weight if teaching else 0.0

    def fingerprint(self) -> str:
        """Return the SHA-256 of the recipe's values, which ignores comments and written-out defaults."""
        return hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()

    def training_fingerprint(self) -> str:
        """Return the SHA-256 of what decides the weights. A run can be resumed if only other values have changed."""
        values = self.model_dump_json(exclude=_AFTER_TRAINING, exclude_defaults=True)
        return hashlib.sha256(values.encode()).hexdigest()

    def former_fingerprint(self) -> str:
        """Return the `training_fingerprint` that hangtag 0.1 would give, as its runs can still be resumed."""
        values = self.model_dump(mode="json", exclude=_AFTER_TRAINING)
        return hashlib.sha256(to_json(_as_in_0_1(values))).hexdigest()

    def from_scratch(self) -> Self:
        """Return the recipe for random initial weights, with no layer frozen."""
        network = self.network.model_copy(update={"pretrained": False})
        return self.model_copy(update={"network": network, "fine_tuning": None})

    def for_columns(self, columns: Sequence[str], stratify_by: str | None = None) -> Self:
        """Return the recipe for other columns and, if `stratify_by` is given, a split by another column."""
        tapped = tuple(column for column in self.network.tapped if column in columns)
        network = self.network.model_copy(update={"tapped": tapped})
        split = dataclasses.replace(self.split, stratify_by=stratify_by or self.split.stratify_by)
        return self.model_copy(update={"columns": tuple(columns), "network": network, "split": split})

    def with_joins(self, names: Iterable[str]) -> Self:
        """Return the recipe with further sets to join. Raises `RecipeError` for an invalid name."""
        joins = tuple(dict.fromkeys([*self.joins, *names]))
        try:
            return self.model_validate(self.model_dump() | {"joins": joins})
        except ValidationError as error:
            raise RecipeError("; ".join(_describe(problem) for problem in error.errors())) from None

    def with_epochs(self, epochs: int | None) -> Self:
        """Return the recipe with another number of epochs, or unchanged for None."""
        if epochs is None:
            return self
        optimisation = self.optimisation.model_copy(update={"epochs": epochs})
        return self.model_copy(update={"optimisation": optimisation})


_AFTER_TRAINING: Final[set[str]] = {"name", "description", "licence", "answers", "export"}
"""Values that have no effect until a network is trained."""

_NAMES_IN_0_1: Final[Mapping[str, Mapping[str, str]]] = {
    "": {"ood": "gate"},
    "optimisation": {"batch_norm_photos": "statistics_photos"},
    "augmentation": {"detail_probability": "blur_probability"},
}
_KEYS_IN_0_1: Final[Mapping[str, tuple[str, ...]]] = {
    "split": ("strategy", "seed", "validation", "test", "stratify_by", "min_examples", "rare"),
    "preprocessing": ("width", "height", "detail_width", "detail_height", "fit"),
}
_UNKNOWN_IN_0_1: Final = {"augmentation": ("smallest_detail", "small_epochs", "small_size")}


def _as_in_0_1(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's values with the names and order of hangtag 0.1."""
    sections = {
        name: {
            _NAMES_IN_0_1.get(name, {}).get(key, key): inner
            for key, inner in value.items()
            if key in _KEYS_IN_0_1.get(name, value) and key not in _UNKNOWN_IN_0_1.get(name, ())
        }
        if isinstance(value, dict)
        else value
        for name, value in values.items()
    }
    return {_NAMES_IN_0_1[""].get(name, name): value for name, value in sections.items()}


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a recipe, given its path or the name of a built-in one.

    Raises `RecipeError` if there is neither.
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
    """Return the names of the built-in recipes, sorted."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    return sorted(path.stem for path in folder.glob("*.toml"))


def read_recipe(path: Path, changes: Mapping[str, object] | None = None) -> Recipe:
    """Read and check a recipe; `changes` override its values by their dotted names, `{"optimisation.epochs": 3}`.

    Raises `RecipeError` naming every field that is missing, unknown or out of range.
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
    """Set a value in the tables of a recipe. Raises `RecipeError` for an unknown name."""
    known = list_keys()
    if name not in known:
        inside = [key for key in known if key.startswith(f"{name}.")]
        fix = f"Choose one of {', '.join(inside)}." if inside else did_you_mean(name, known)
        raise RecipeError(f"a recipe has no value {name!r}", where="`changes`", fix=fix or _FIX_UNKNOWN)
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
    """Return the names of a section's values; None if the type is not a section."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else None


def _describe(problem: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails, a TypedDict with optional keys
    place = ".".join(str(part) for part in problem["loc"]) or "the recipe"
    message = describe_invalid(problem)
    return f"{place}: {message[0].lower()}{message[1:]}"
