"""Django's PostgreSQL, with a connection that rested looked at from this side first."""
