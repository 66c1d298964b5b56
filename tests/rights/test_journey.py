"""
"Delete my data", from the call to the letter: afterwards the number is on no page, in no table of either database and
at no vendor, and of the person there is the record of the request and nothing else. Who calls again is somebody new.

The same journey through a browser, without the look into the tables: tests/browser/test_journey_three.py.
"""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connections
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse

from callprivacy.calls.models import Connection, Recording
from callprivacy.calls.services import connections as ways
from callprivacy.tenancy.enums import Answerer, RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from consent.tasks.menu_calls import stop_recordings
from rights.enums import Ask, CaseState
from rights.models import Case, Submission
from rights.selectors import letters as letter_selectors
from rights.tasks import letters as tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent import twilio_side
from tests.rights import asking
from tests.rights.asking import ANNA

pytestmark = pytest.mark.django_db

SID = "RE" + "7" * 32
AT_TWILIO = f"https://api.twilio.com/2010-04-01/Accounts/{twilio_side.ACCOUNT}/Recordings/{SID}"
RECORD = re.compile(r"rights_|audit_|work_|vault_tombstone")
"""Tables in which an id of the person may still stand: the request's own, deeds without a number, the tombstone."""
PAGES = (
    "calls:list",
    "rights:home",
    "rights:recipients",
    "work:queue",
    "consent:all_withdrawals",
    "retention:home",
)


def told(client: Client, cast: Cast) -> None:
    """A call of hers, recorded at Twilio, of a client that wants to be asked and has copies deleted at vendors."""
    asking.answered_by(client, Answerer.AFTER_APPROVAL, delete_at_vendor=True)
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=make.now()
        )
        way = ways.create_connection(
            client=client, provider="twilio", name="Menu", secret=twilio_side.TOKEN, by=make.JOB, at=make.NOON
        )
        Connection.objects.filter(pk=way.pk).update(mapping={"account": twilio_side.ACCOUNT})
    row = make.recording(
        make.call(client, ANNA, at=make.now() - timedelta(days=5), connection=way), AT_TWILIO
    )
    with job_scope(agency_id=client.agency_id):
        Recording.objects.filter(pk=row.pk).update(provider="twilio")


def answered(cast: Cast, submission: Submission, ask: Ask, letter: str) -> Case:
    """The client agrees by its link, the officer decides, the jobs work, the letter goes, the case is closed."""
    browser, case = signed_in(cast.alice), asking.case_of(submission, ask)
    asked = {"to": "owner@dentist.example", "words": "We would do it.", "is_vouched": "on"}
    assert browser.post(f"/requests/{case.pk}/ask/approve/", asked).status_code == 302
    tasks.ask_clients()
    link = re.search(r"http://[^/]+(/approve/[^/\s]+/)", str(mail.outbox[-1].body))
    assert link is not None
    assert "You agreed" in Browser().post(link[1], {"name": "Dana", "agrees": "yes"}).content.decode()
    shown = browser.get(f"/requests/{case.pk}/decide/").content.decode()
    assert ("Copies that the person asked for" in shown) == (ask is Ask.DELETE)
    yes = {"decided": "fulfil", "other_party": "withhold"}
    if ask is Ask.DELETE:
        yes["shown"] = asking.seen(shown)
    decided = browser.post(f"/requests/{case.pk}/decide/", yes)
    assert decided.status_code == 302
    asking.work(cast.acme, at=make.now())
    with job_scope(agency_id=cast.acme.pk):
        text = letter_selectors.facts_of(
            asking.case_of(submission, ask), said="", language=letter_selectors.language_of(case)
        )
    said = {"letter": letter, "subject": "Done", "body": text.get("done", "Here it is."), "way": "mail"}
    assert browser.post(f"/requests/{case.pk}/letters/send/", said).status_code == 302
    tasks.send_letters()
    assert mail.outbox[-1].to == ["anna@example.org"]
    browser.post(f"/requests/{case.pk}/close/")
    return asking.case_of(submission, ask)


def tables(agency_id: int) -> dict[str, str]:
    """Every row of every table of both databases as text, by table."""
    found = {}
    for name in ("default", "vault"):
        with job_scope(agency_id=agency_id), connections[name].cursor() as cursor:
            for table in connections[name].introspection.table_names(cursor):
                cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{table}" t')
                found[f"{name}/{table}" if name == "default" else table] = cursor.fetchone()[0] or ""
    return {table.removeprefix("default/"): rows for table, rows in found.items()}


def test_of_who_was_erased_the_record_of_the_request_is_all_that_remains(cast: Cast) -> None:
    client = cast.dentist
    told(client, cast)
    caller_id = vault.find_callers([client.pk], ANNA)[client.pk]
    before = tables(cast.acme.pk)
    assert any(str(caller_id) in rows for name, rows in before.items() if not RECORD.match(name))

    submission = asking.asked(client, Ask.COPY, Ask.DELETE, at=make.now())
    asking.prove(submission, at=make.now())
    asking.search(submission, at=make.now())
    with twilio_side.interface() as vendor, override_settings(CALLPRIVACY_TWILIO_URL=vendor.url):
        answered(cast, submission, Ask.COPY, "copy_ready")
        gone = answered(cast, submission, Ask.DELETE, "erased")
        stop_recordings(agency_id=cast.acme.pk)
        # For the package its words were asked for.
        assert [SID in one.path for one in vendor.asked if one.method == "DELETE"] == [True]
        assert {one.method for one in vendor.asked} <= {"GET", "DELETE"}
    assert gone.state == CaseState.DONE

    after = tables(cast.acme.pk)
    digits = re.compile("".join(rf"{digit}\D{{0,2}}" for digit in ANNA[2:]))
    everything = "\n".join(after.values())
    assert not digits.search(everything)
    for secret in ("anna@example.org", AT_TWILIO, ANNA):
        assert secret not in everything
    assert {
        name for name, rows in after.items() if str(caller_id) in rows and not RECORD.match(name)
    } == set()
    browser = signed_in(cast.alice)
    for page in (*map(reverse, PAGES), f"/requests/{gone.pk}/", "/clients/dentist/callers/"):
        shown = browser.get(page)
        assert shown.status_code == 200, page
        assert not digits.search(shown.content.decode()), page

    make.call(client, ANNA, at=make.now())
    assert vault.find_callers([client.pk], ANNA)[client.pk] != caller_id
