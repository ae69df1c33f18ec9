"""Imported before any test: sets GOMP_SPINCOUNT before torch is imported."""

import mtinet  # noqa: F401
