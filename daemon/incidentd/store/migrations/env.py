"""How Alembic reaches the connection that `migrate.upgrade` hands it."""

from alembic import context

from incidentd.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
