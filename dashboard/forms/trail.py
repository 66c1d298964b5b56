"""What a person asks of the trail; it lives in the address."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from callprivacy.audit.selectors import EventFilter
from callprivacy.lib.forms import DayField
from callprivacy.lib.scope import ScopeKind

_AUTOMATIC = ((ScopeKind.JOB.value, "Automatic jobs"), (ScopeKind.CLIENT.value, "Ways in (webhooks, pages)"))


class TrailForm(forms.Form):
    """Filters of the trail page; every one may be left out."""

    client = forms.ChoiceField(required=False)
    who = forms.ChoiceField(required=False)
    what = forms.ChoiceField(required=False)
    sealed = forms.ChoiceField(
        required=False, choices=(("", "Sealed or not"), ("yes", "Sealed"), ("no", "Not sealed yet"))
    )
    since = DayField(required=False, label="From")
    until = DayField(required=False, label="To")
    subject = forms.RegexField(
        r"^[a-z]+\.[a-z]+(:[0-9A-Za-z-]{1,80})?\Z",
        required=False,
        help_text="As the trail writes it, such as calls.call:0193",
    )

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        clients: Sequence[tuple[int, str, str]],
        people: Mapping[int, str],
        actions: Sequence[tuple[str, str]],
    ) -> None:
        """
        Offer what there is.

        :param clients: id, slug and name of each client.
        :param people: user id -> name.
        :param actions: action and its words.
        """
        super().__init__(data)
        self._client_ids = {slug: client_id for client_id, slug, _ in clients}
        offers: dict[str, Sequence[tuple[str, str]]] = {
            "client": [("", "Any client"), *((slug, name) for _, slug, name in clients)],
            "who": [("", "Anybody"), *((str(key), name) for key, name in people.items()), *_AUTOMATIC],
            "what": [("", "Any action"), *actions],
        }
        for name, choices in offers.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
            field.choices = choices

    def wanted(self, zone: str) -> EventFilter:
        """What to look for; days are those of the zone. Only for a valid form."""
        given = self.cleaned_data
        who: str = given["who"]
        kind, _, subject_id = given["subject"].partition(":")
        day = ZoneInfo(zone)
        return EventFilter(
            client_id=self._client_ids.get(given["client"]),
            user_id=int(who) if who.isdigit() else None,
            actor_kind="" if who.isdigit() else who,
            action=given["what"],
            subject_kind=kind,
            subject_id=subject_id,
            since=datetime.combine(given["since"], time.min, day) if given["since"] else None,
            until=(
                datetime.combine(given["until"] + timedelta(days=1), time.min, day)
                if given["until"]
                else None
            ),
            sealed={"yes": True, "no": False}.get(given["sealed"]),
        )

    @property
    def in_use(self) -> int:
        """How many filters are set."""
        return sum(bool(value) for value in self.cleaned_data.values()) if self.is_valid() else 0
