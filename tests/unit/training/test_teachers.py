import numpy as np
import pytest

from hangtag.bundle.file import write_bundle
from hangtag.domain.errors import RecipeError, TrainingError
from hangtag.inference.model import load_model
from hangtag.training.data import load_training_data
from hangtag.training.recipe import find_recipe, read_recipe
from hangtag.training.soft_targets import teach_by_models
from tiny_bundle import build_tiny_card, build_tiny_graph


@pytest.fixture
def data(source, table, tiny_recipe, tmp_path):
    columns = ("baseColour", "gender")
    return load_training_data(table, source, columns, tiny_recipe.preprocessing, tmp_path / "pixels")


def write_teacher(path, classes, seed):
    graph = build_tiny_graph(classes, seed=seed)
    write_bundle(graph, build_tiny_card(graph, classes), path)
    return load_model(path, precision="fp32")


def answer_train(model, source, table, column):
    """Return the probabilities of one head for the train photos, each read and answered by itself."""
    photos = [row["photo"] for row in table.to_pylist() if row["split"] == "train"]
    answers = model.predict([source.read_photo(photo) for photo in photos]).rows(9)
    return [{label.value: label.confidence for label in answer.candidates[column]} for answer in answers]


def test_the_mean_answer_of_the_teachers_is_the_soft_target(data, source, table, tmp_path):
    classes = data.classes["baseColour"]
    first = write_teacher(
        tmp_path / "first.onnx", {"baseColour": classes[::-1], "gender": ("Men", "Women")}, 1
    )
    second = write_teacher(tmp_path / "second.onnx", {"baseColour": (*classes[:2], "Plaid")}, 2)
    taught = teach_by_models(data, table, source, [first, second], tmp_path / "pixels")

    one, other = (answer_train(model, source, table, "baseColour") for model in (first, second))
    expected = [
        [(a.get(name, 0) + b.get(name, 0)) / 2 for name in classes] for a, b in zip(one, other, strict=True)
    ]
    assert taught.train.soft["baseColour"] == pytest.approx(np.array(expected), abs=2e-3)
    # Plaid is not a class of the student.
    plaid = 1 - taught.train.soft["baseColour"].astype(float).sum(axis=1)
    assert plaid.max() > 0.01
    assert taught.train.soft["gender"].astype(float).sum(axis=1) == pytest.approx(1, abs=2e-3)
    assert not taught.validation.soft


def test_a_run_goes_on_with_the_teachers_it_began_with_only(data, source, table, tmp_path):
    teachers = [
        write_teacher(tmp_path / f"{seed}.onnx", {"gender": ("Men", "Women")}, seed) for seed in (1, 2)
    ]
    runs = {
        teach_by_models(data, table, source, [teacher], tmp_path / "pixels").run_fingerprint
        for teacher in teachers
    }
    assert len(runs | {data.run_fingerprint}) == 3


def test_a_teacher_of_other_columns_is_refused(data, source, table, tmp_path):
    teacher = write_teacher(tmp_path / "t.onnx", {"usage": ("Casual", "Sports")}, 1)
    with pytest.raises(TrainingError, match="answers none of baseColour, gender"):
        teach_by_models(data, table, source, [teacher], tmp_path / "pixels")


def test_a_recipe_has_one_teacher_beside_the_labels(tmp_path):
    text = find_recipe("basic_cnn").read_text(encoding="utf-8")
    path = tmp_path / "r.toml"
    path.write_text(text + "\n[distillation]\nweight = 0.5\n", encoding="utf-8")
    assert read_recipe(path).teacher_weight == 0.5
    path.write_text(text + "\n[distillation]\nweight = 0.5\n\n[names]\nweight = 0.3\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"both add soft targets; use one of them"):
        read_recipe(path)
    path.write_text(text + '\n[distillation]\nweight = 0.5\nteacher = "basic_cnn"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match="its own teacher"):
        read_recipe(path)
    path.write_text(text + "\n[distillation]\nweight = 0.5\nstart_from_teacher = true\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="needs a recipe as the teacher"):
        read_recipe(path)
