"""Sealing what a person said in a request, under the submission's own key."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models

from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place
from rights.models import Submission
from rights.models.owned import Held
from rights.selectors import words


def key_of(*, submission: Submission, at: datetime) -> Key:
    """The submission's key, made when first needed; the agency's own keys too, where its holder is the agency."""
    if submission.client_id is None:
        vault.create_client_keys(client_id=submission.holder_id, agency_id=submission.agency_id, at=at)
    return vault.purpose_key(client_id=submission.holder_id, purpose=words.purpose_of(submission), at=at)


def seal(row: Held, column: str, value: str | Mapping[str, Any], key: Key) -> bytes:
    """
    A text, or an object as JSON, sealed for one column of a row whose id is known.

    :raises FieldDoesNotExist: the row has no such column.
    """
    meta: models.options.Options[Any] = row._meta
    meta.get_field(column)
    plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return key.seal(plain.encode(), Place(row.holder_id, meta.db_table, column, row.pk))
