"""How Alembic runs the migrations: on the connection that `hangtag.store.database.migrate` gives it."""

from alembic import context

from hangtag.store.database import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
