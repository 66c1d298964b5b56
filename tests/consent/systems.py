"""The other side of the interface: a system of the agency's with a key, and what it sends."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse  # noqa: TID251  (what a system gets)
from django.test import Client as Browser

from callprivacy.accounts.enums import ApiScope
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import api_keys
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from tests import make


@dataclass
class System:
    """A CRM or a dialler with its key."""

    key: str

    def send(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> HttpResponse:
        """POST a body as JSON; returns the answer."""
        return Browser().post(  # type: ignore[return-value]  # of the test client
            f"/api/v1/{path}",
            json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key if key is None else key}", **headers},
        )

    def ask(self, path: str, body: Any, **headers: str) -> dict[str, Any]:
        """The same; returns what was answered, which has to be no refusal."""
        answer = self.send(path, body, **headers)
        assert answer.status_code in {200, 201}, answer.content
        found: dict[str, Any] = json.loads(answer.content)
        return found

    def refusal(self, path: str, body: Any, **headers: str) -> tuple[int, str, str]:
        """The same; returns status, error and field of a refusal."""
        answer = self.send(path, body, **headers)
        found = json.loads(answer.content)
        assert found.keys() == {"error", "detail", "field"}
        return answer.status_code, found["error"], found["field"]


def system_of(
    client: Client, person: Membership, *, scopes: Collection[ApiScope] = tuple(ApiScope), **more: Any
) -> System:
    """A system with a key that a person made just now."""
    with job_scope(agency_id=client.agency_id):
        made = api_keys.create_key(
            client=client,
            name="CRM",
            scopes=scopes,
            by=Actor.staff(user_id=person.user_id),
            at=make.now(),
            **more,
        )
    return System(made.text)
