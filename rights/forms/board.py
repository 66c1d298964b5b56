"""The filters of the board, as they stand in the address."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms

from callprivacy.accounts.models import User
from callprivacy.lib.forms import LineField
from callprivacy.tenancy.models import Client
from rights.selectors import board

OWN = "-"
"""Stands for the agency's own requests where a client's name would stand."""


class BoardForm(forms.Form):
    """
    Which requests are shown.

    :param clients: whose may be asked for; None where the page is one client's. :param with_own: the agency's, too.
    :param people: colleagues whose requests may be asked for.
    """

    client = forms.ChoiceField(label="Client", required=False)
    kind = forms.ChoiceField(label="Kind", required=False)
    law = forms.ChoiceField(label="Law", required=False)
    due = forms.ChoiceField(label="Due", required=False, choices=[("", "Any day"), *board.DUE])
    owner = forms.ChoiceField(label="Owner", required=False)
    state = LineField(required=False, widget=forms.HiddenInput)
    sort = LineField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        clients: Sequence[Client] | None,
        with_own: bool,
        people: Sequence[User],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        whose = [("", "Any owner"), ("me", "Mine"), ("nobody", "Unassigned")]
        self._choose("owner", [*whose, *((str(one.pk), str(one)) for one in people)])
        if clients is None:
            del self.fields["client"]
        else:
            own = [(OWN, "The agency itself")] if with_own else []
            self._choose("client", [("", "Every client"), *own, *((one.slug, one.name) for one in clients)])
        self._choose("kind", [("", "Every kind"), *board.kind_choices()])
        self._choose("law", [("", "Every law"), *board.law_choices()])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices

    def wanted(self) -> tuple[board.Filters, str]:
        """What is asked, and the client's slug ("" for every client); what is none is not asked."""
        self.is_valid()
        said = {name: str(self.cleaned_data.get(name) or "") for name in self.fields}
        client, state = said.pop("client", ""), said.pop("state")
        known = dict(board.STATES)
        said["sort"] = said["sort"] if said["sort"] in board.SORTS else ""
        return board.Filters(state=state if state in known else board.OPEN, **said), client
