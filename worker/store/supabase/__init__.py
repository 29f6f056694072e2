"""The shared queue: a Supabase project, or a PostgreSQL behind a PostgREST, for many workers."""

from worker.store.supabase.store import SupabaseStore

__all__ = ["SupabaseStore"]
