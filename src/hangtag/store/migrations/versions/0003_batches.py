"""Batches, their products and photos, predictions and decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    _create_batches()
    _create_sheets()
    _create_products()
    _create_photos()
    _create_predictions()
    _create_decisions()


def _create_batches() -> None:
    op.create_table(
        "answers",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("response", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_answers_at"), "answers", ["at"])
    op.create_table(
        "models",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("sha256"),
    )
    op.create_table(
        "batches",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model", _NUMBER, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.Column("assigned_to", sa.Text()),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("revision", _NUMBER, nullable=False),
        sa.Column("rebuilt", _NUMBER, nullable=False),
        sa.Column("sheet", sa.JSON()),
        sa.Column("grouping", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["models.number"],
        ),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(op.f("ix_batches_state"), "batches", ["state"])
    op.create_index(op.f("ix_batches_updated"), "batches", ["updated"])


def _create_sheets() -> None:
    op.create_table(
        "sheet_rows",
        sa.Column("batch", _NUMBER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["batches.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("batch", "position"),
    )
    op.create_table(
        "views",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("batch", _NUMBER),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["batches.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("ix_views_batch"), "views", ["batch"])


def _create_products() -> None:
    op.create_table(
        "products",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("batch", _NUMBER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer()),
        sa.Column("known", sa.JSON()),
        sa.Column("predicted", sa.JSON()),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("checked", sa.Boolean(), nullable=False),
        sa.Column("overruled", sa.Boolean()),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("assigned_to", sa.Text()),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("needs", sa.Text()),
        sa.Column("why", sa.String(length=32)),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("confidence", sa.Double()),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("comments", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", _NUMBER, nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("updated_by", sa.Text()),
        sa.ForeignKeyConstraint(["batch"], ["batches.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("products_by_position", "products", ["batch", "position"])
    op.create_index("products_by_revision", "products", ["batch", "revision"])
    op.create_table(
        "comments",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("product", _NUMBER, nullable=False),
        sa.Column("who", sa.Text()),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["product"], ["products.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("ix_comments_product"), "comments", ["product"])


def _create_photos() -> None:
    op.create_table(
        "photos",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("batch", _NUMBER, nullable=False),
        sa.Column("product", _NUMBER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", _NUMBER, nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("view", sa.String(length=16)),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("todo", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=32)),
        sa.Column("detail", sa.Text()),
        sa.Column("duplicate_of", _NUMBER),
        sa.ForeignKeyConstraint(["batch"], ["batches.number"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["product"], ["products.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("ix_photos_product"), "photos", ["product"])
    op.create_index(op.f("ix_photos_sha256"), "photos", ["sha256"])
    op.create_index("photos_by_batch", "photos", ["batch", "position"])
    op.create_index("photos_to_do", "photos", ["todo", "batch", "position"])


def _create_predictions() -> None:
    op.create_table(
        "embeddings",
        sa.Column("photo", _NUMBER, nullable=False),
        sa.Column("model", _NUMBER, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["models.number"],
        ),
        sa.ForeignKeyConstraint(["photo"], ["photos.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo", "model"),
    )
    op.create_table(
        "predictions",
        sa.Column("photo", _NUMBER, nullable=False),
        sa.Column("model", _NUMBER, nullable=False),
        sa.Column("logits", sa.LargeBinary(), nullable=False),
        sa.Column("ood_score", sa.Double()),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["models.number"],
        ),
        sa.ForeignKeyConstraint(["photo"], ["photos.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo", "model"),
    )
    # ### end Alembic commands ###


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("batch", _NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("who", sa.Text()),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("target", _NUMBER),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["batches.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("decisions_by_batch", "decisions", ["batch", "number"])
    op.create_table(
        "decision_changes",
        sa.Column("decision", _NUMBER, nullable=False),
        sa.Column("product", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decisions.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("decision", "product"),
    )
    op.create_index("decision_changes_by_product", "decision_changes", ["product"])
