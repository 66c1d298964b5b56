"""What is known about agencies without entering one."""

from __future__ import annotations

from django.db import connection

from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import PublicKey


def agency_ids() -> list[int]:
    """Ids of every agency, for jobs that enter one after the other; it needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT agency_id FROM all_agency_ids() AS agency_id ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def find_public_key(key: str, purpose: KeyPurpose) -> PublicKey | None:
    """Return whose public key this is, or None."""
    return PublicKey.objects.filter(key=key, purpose=purpose).first()
