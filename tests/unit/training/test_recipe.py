import pytest

from hangtag.domain.errors import HangtagError, RecipeError
from hangtag.training.recipe import find_recipe, list_recipes, read_recipe


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_that_comes_with_hangtag_can_be_read_and_says_what_to_expect(name):
    path = find_recipe(name)
    assert read_recipe(path).name == name
    header = path.read_text(encoding="utf-8").split("\n\n")[0]
    for word in ("command", "hardware", "minutes", "expected score"):
        assert word in header


def test_the_default_recipe_answers_every_column():
    recipe = read_recipe(find_recipe("default"))
    assert len(recipe.columns) == 7
    assert recipe.ood is not None
    assert recipe.joins == ()  # it trains on any catalogue by itself


@pytest.mark.parametrize(
    ("name", "rotation", "dropout", "patience"),
    [("basic_cnn", 0, 0, 3), ("vgg16", 20, 0, 3), ("deep_cnn", 30, 0.5, 5), ("vgg16_custom", 40, 0.5, 5)],
)
def test_the_original_runs_are_trained_as_they_were(name, rotation, dropout, patience):
    recipe = read_recipe(find_recipe(name))
    assert recipe.columns == ("masterCategory",)
    assert (recipe.preprocessing.width, recipe.preprocessing.height) == (128, 128)
    assert recipe.split.test == 0.2
    assert recipe.split.validation == pytest.approx(0.2 * 0.8)
    assert recipe.augmentation.rotation_degrees == rotation
    assert recipe.network.dropout == dropout
    assert recipe.optimisation.patience == patience
    rare = name == "basic_cnn"
    assert recipe.split.min_examples == (2 if rare else 100)
    assert recipe.optimisation.class_weights == ("none" if rare else "balanced")


def test_only_the_fourth_run_fine_tunes_and_learns_from_the_custom_set():
    fourth, second = (read_recipe(find_recipe(name)) for name in ("vgg16_custom", "vgg16"))
    assert fourth.joins == ("custom",)
    assert not second.joins
    assert fourth.fine_tuning.last_blocks > 0
    assert fourth.fine_tuning.frozen_epochs < fourth.optimisation.epochs
    assert second.fine_tuning.last_blocks == 0


def test_from_scratch_nothing_is_frozen():
    recipe = read_recipe(find_recipe("vgg16")).from_scratch()
    assert recipe.fine_tuning is None
    assert not recipe.network.pretrained


def test_comments_do_not_change_the_fingerprint_but_values_do(tmp_path):
    text = find_recipe("default").read_text(encoding="utf-8")
    commented, changed = tmp_path / "a.toml", tmp_path / "b.toml"
    commented.write_text("# another comment\n" + text, encoding="utf-8")
    changed.write_text(text.replace("dropout = 0.2", "dropout = 0.3"), encoding="utf-8")
    original = read_recipe(find_recipe("default")).fingerprint()
    assert read_recipe(commented).fingerprint() == original
    assert read_recipe(changed).fingerprint() != original


def test_names_of_older_recipes_can_be_read_and_not_both(tmp_path):
    path, text = tmp_path / "old.toml", find_recipe("default").read_text(encoding="utf-8")
    for new, old in (
        ("[ood]", "[gate]"),
        ("batch_norm_photos", "statistics_photos"),
        ("detail_probability", "blur_probability"),
    ):
        assert new in text
        text = text.replace(new, old)
    path.write_text(text, encoding="utf-8")
    assert read_recipe(path) == read_recipe(find_recipe("default"))
    path.write_text(text + "\n[ood]\ndrawn = 1\nloss_weight = 1\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="gate is the former name of ood"):
        read_recipe(path)


def test_a_run_of_hangtag_0_1_is_known_by_its_recipe():
    digest = "423cea2e9627496639b0d8ead4af5695231efb50d4a5b77fc4bd9f38cca62964"
    assert read_recipe(find_recipe("vgg16_custom")).former_fingerprint() == digest


def test_what_is_said_at_its_default_does_not_change_the_run(tmp_path):
    path, text = tmp_path / "a.toml", find_recipe("default").read_text(encoding="utf-8")
    assert "smallest_detail = 0.4\n" in text
    path.write_text(text.replace("smallest_detail = 0.4\n", ""), encoding="utf-8")
    recipe = read_recipe(find_recipe("default"))
    assert read_recipe(path).training_fingerprint() == recipe.training_fingerprint()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dropout = 0.2", "dropuot = 0.2", "network.dropout: field required; network.dropuot: extra inputs"),
        ("epochs = 9", 'epochs = "many"', "optimisation.epochs: input should be a valid integer"),
        ("dropout = 0.2", "dropout = 1.5", "network.dropout: input should be less than 1"),
        ('fit = "border"', 'fit = "squeeze"', "preprocessing"),
        ('strategy = "random"', 'strategy = "lucky"', "split"),
        ("seed = 42", "seed = ", "cannot be read"),
    ],
)
def test_a_wrong_recipe_names_what_is_wrong(tmp_path, old, new, said):
    path = tmp_path / "wrong.toml"
    text = find_recipe("default").read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        read_recipe(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(RecipeError, match="default"):
        find_recipe("defualt")
    with pytest.raises(RecipeError, match="no such recipe"):
        find_recipe("missing.toml")


def test_further_sets_join_those_of_the_recipe():
    recipe = read_recipe(find_recipe("vgg16_custom")).with_joins(["people", "custom"])
    assert recipe.joins == ("custom", "people")


@pytest.mark.parametrize("name", ["negatives", "a:b", "", "../up"])
def test_a_set_cannot_have_every_name(name):
    with pytest.raises(RecipeError, match="joins"):
        read_recipe(find_recipe("default")).with_joins([name])


def test_values_of_a_recipe_can_be_changed_by_their_names():
    changes = {"optimisation.epochs": 3, "seed": 7, "split.test": 0.2, "names.weight": 0.5}
    recipe = read_recipe(find_recipe("basic_cnn"), changes)
    assert (recipe.optimisation.epochs, recipe.seed, recipe.split.test) == (3, 7, 0.2)
    assert recipe.names is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimisation.epoch": 3}, "no value 'optimisation.epoch'. Did you mean optimisation.epochs?"),
        ({"optimisation": 3}, "Choose one of optimisation.epochs, "),
        ({"flavour": 3}, "docs/training.md"),
        ({"optimisation.epochs": "many"}, "optimisation.epochs: input should be a valid integer"),
        ({"optimisation.epochs": 0}, "optimisation.epochs: input should be greater than or equal to 1"),
        ({"split.test": 2}, "test 2"),
    ],
)
def test_a_change_that_cannot_be_names_what_can(changes, message):
    with pytest.raises(HangtagError) as caught:
        read_recipe(find_recipe("basic_cnn"), changes)
    assert message in str(caught.value)
