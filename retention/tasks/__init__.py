"""Tasks of retention; the worker finds those named here."""

from retention.tasks import backups, holds, offboarding, policies, runs, secrets, vendors, watch
