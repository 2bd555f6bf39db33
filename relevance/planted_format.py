"""`planted.json`: what was planted in a demo and what was found (`relevance.demo` writes it)."""

from __future__ import annotations

PLANTED_SCHEMA = "planted/1"
