"""Runs the migrations with Alembic, on the connection from `hangtag.store.database.migrate`."""

from alembic import context

from hangtag.store.database import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
