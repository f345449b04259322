"""Alembic's migrations; `migrate.upgrade` runs them."""
