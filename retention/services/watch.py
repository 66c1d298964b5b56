"""
Alerts: what needs a person before it becomes a breach. One row stands for each kind and thing while its cause does.

People are told by mail when one begins and when it is over; the agency's own system by a signed message, tried for
three days with growing pauses. A message says what an alert is now: where it ended before the system was reached, the
system hears that it is over, and since when it stood.
"""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.audit import selectors as trail
from callprivacy.audit import services as audit
from callprivacy.audit.services import lineage
from callprivacy.lib import databases, figures
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from consent.services import webhooks
from retention import kinds
from retention.models import Alert, AlertEndpoint
from retention.selectors import storage
from retention.selectors import watch as selectors
from retention.selectors.watch import House, Reading

BEGAN: Final = "retention.alert.began"
OVER: Final = "retention.alert.over"
TEST: Final = "retention.alert.test"
PAUSES: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 60, 300, 900, 1800, 3600, 7200, 14400, 21600, 28800, 43200, 43200)
)
LEASE: Final = timedelta(minutes=2)
READ_FOR: Final = 5.0
"""For how many seconds a scrape reads agencies of which no reading is kept; Prometheus gives up after ten."""
_DEAD: Final = "Given up: "


class NoEndpointError(LookupError):
    """The agency has no address for alerts."""


@dataclass(frozen=True, slots=True)
class Found:
    """That something is alarming, and how much of it."""

    kind: str
    key: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Stands:
    """
    One thing that stands at an agency, for who operates the installation: nothing of a client or a person.

    :ivar section: of the runbook. :ivar about: what kind of rows, secret or database, and how many.
    """

    section: str
    title: str
    slug: str
    about: str
    since: datetime


# --- What is alarming -------------------------------------------------------------------------------------------------


def judge(reading: Reading, house: House) -> list[Found]:
    """Everything that is alarming in an agency's figures and the installation's."""
    found = [Found("past_due", name, count) for name, count in sorted(reading.past_due.items()) if count]
    found += [Found("secret_over", kind, count) for kind, count in sorted(reading.over.items())]
    found += [Found(kind, count=count) for kind, count in _counted(reading).items() if count]
    found += [Found(kind) for kind, is_so in _late(reading, house).items() if is_so]
    found += [
        Found("backup_late", database)
        for database in settings.DATABASES
        if house.backups_expected and _is_old(house.backups.get(database), selectors.BACKUP_LATE_AFTER)
    ]
    return found


def _counted(reading: Reading) -> dict[str, int]:
    return {
        "run_failed": reading.run_failures,
        "offboarding_stopped": reading.endings_stopped,
        "vendor_late": reading.vendor_late,
        "vendor_outlives": reading.outliving,
        "rotation_failed": reading.rotations_failed,
    }


def _late(reading: Reading, house: House) -> dict[str, bool]:
    unsealed = timedelta(seconds=reading.unsealed_age or 0)
    return {
        "run_missing": reading.run_expected and _is_old(reading.run_age, selectors.RUN_LATE_AFTER),
        "inbox_old": timedelta(seconds=reading.inbox_oldest or 0) > selectors.INBOX_LATE_AFTER,
        "trail_unsealed": unsealed > trail.UNSEALED_ALARM,
        "drill_late": house.drill_expected and _is_old(house.drill_age, selectors.DRILL_LATE_AFTER),
        "drill_failed": house.drill_passed is False,
    }


def _is_old(age: int | None, limit: timedelta) -> bool:
    """Whether an age in seconds is past a limit, or there never was one."""
    return age is None or timedelta(seconds=age) > limit


def look(*, agency_id: int, at: datetime) -> tuple[int, int]:
    """
    Read an agency's figures, begin the alerts that they call for and end those whose cause is gone; returns how many
    of each. Outside any scope.
    """
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.get(pk=agency_id)
        reading = selectors.read(agency, at)
        wanted = {(one.kind, one.key): one for one in judge(reading, selectors.house(at))}
        standing = {(row.kind, row.key): row for row in Alert.objects.open().filter(agency=agency)}
        began = [_begin(agency, wanted[key], at) for key in sorted(wanted.keys() - standing.keys())]
        ended = [_end(agency, standing[key], at) for key in sorted(standing.keys() - wanted.keys())]
        for key in wanted.keys() & standing.keys():
            if standing[key].count != wanted[key].count:
                Alert.objects.filter(pk=standing[key].pk).update(count=wanted[key].count)
        if _is_told(agency):
            # What began before an address was named is told to it as well.
            never = Alert.objects.open().filter(agency=agency, due_at=None, attempts=0, last_status="")
            never.update(due_at=at)
        alerts_open = len(wanted)
    selectors.keep(agency_id, selectors.with_alerts(reading, alerts_open))
    return len(began), len(ended)


def _begin(agency: Agency, found: Found, at: datetime) -> Alert:
    row = Alert(agency=agency, kind=found.kind, key=found.key, count=found.count, began_at=at)
    row.due_at = at if _is_told(agency) else None
    Alert.objects.bulk_create([row], ignore_conflicts=True)
    _tell_people(agency, row, at, is_over=False)
    return row


def _end(agency: Agency, row: Alert, at: datetime) -> Alert:
    due_at = at if _is_told(agency) else None
    Alert.objects.filter(pk=row.pk).update(ended_at=at, due_at=due_at, attempts=0, last_status="")
    _tell_people(agency, row, at, is_over=True)
    return row


def _is_told(agency: Agency) -> bool:
    return AlertEndpoint.objects.filter(agency=agency, is_active=True).exists()


def _tell_people(agency: Agency, row: Alert, at: datetime, *, is_over: bool) -> None:
    if row.kind not in kinds.ALARMS:
        return
    work.notify(
        kinds.mail_kind(row.kind, is_over=is_over),
        agency_id=agency.pk,
        user_ids=access.people_with_right(AgencyRight.MANAGE_CLIENTS, agency_id=agency.pk),
        at=at,
        key=str(row.pk),
    )
    Alert.objects.filter(pk=row.pk).update(mailed_at=at)


def standing() -> tuple[list[Stands], list[str]]:
    """
    What stands at every agency, by section of the runbook; and the agencies of which no figures are kept.

    What waits for a job is of the newest figures, the rest as the newest watch found it. Outside any scope.
    """
    found: list[Stands] = []
    unread = []
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            slug = Agency.objects.get(pk=agency_id).slug
            found += [
                _stands(slug, row) for row in selectors.alerts(is_open=True) if row.kind in kinds.ALARMS
            ]
        reading = selectors.kept(agency_id)
        if reading is None:
            unread.append(slug)
        else:
            found += [_waits(slug, name, reading.made_at - age) for name, age in _late_due(reading)]
    return sorted(found, key=lambda one: (one.section, one.slug, one.about)), unread


def _late_due(reading: Reading) -> list[tuple[str, timedelta]]:
    ages = [(name, timedelta(seconds=seconds)) for name, seconds in reading.due.items()]
    return [(name, age) for name, age in ages if age > selectors.DUE_LATE_AFTER]


def _stands(slug: str, row: Alert) -> Stands:
    alarm = kinds.ALARMS[row.kind]
    about = f"{row.key} ({row.count})" if row.count > 1 else row.key
    return Stands(alarm.section, alarm.title, slug, about.strip(), row.began_at)


def _waits(slug: str, name: str, since: datetime) -> Stands:
    title = "Rows have waited for their job for more than a quarter of an hour"
    return Stands("JobsLate", title, slug, name, since)


def metrics(*, at: datetime) -> bytes:
    """
    The figures of every agency in the text format of Prometheus, as they were read last; read now where none is kept.

    Whoever collects them waits some seconds and no longer: agencies for which no time is left are not among these, and
    a database that does not answer is asked for nothing. Outside any scope.

    :raises lineage.NotTogetherError: one of the two databases is an old copy, or both were carried here by one.
    """
    until = time.monotonic() + READ_FOR
    up = databases.answering()
    if all(up.values()):
        lineage.require_together()
    try:
        running = figures.read()
    except redis.RedisError:
        running = None
    if not up["default"]:
        return selectors.metrics([], None, storage.order(up), running, at)
    readings = []
    for agency_id in tenancy.agency_ids():
        # A Valkey that hangs would let each agency wait for it anew.
        reading = None if running is None else selectors.kept(agency_id)
        if reading is None and up["vault"] and time.monotonic() < until:
            with job_scope(agency_id=agency_id):
                reading = selectors.read(Agency.objects.get(pk=agency_id), at)
            if running is not None:
                selectors.keep(agency_id, reading)
        if reading is not None:
            readings.append(reading)
    return selectors.metrics(readings, selectors.house(at), storage.order(up), running, at)


# --- The agency's system ----------------------------------------------------------------------------------------------


@transaction.atomic
def set_endpoint(*, agency: Agency, url: str, by: Actor, at: datetime) -> str:
    """
    Have alerts sent to an address from now on; returns its secret, which is shown this once.

    :raises webhooks.AddressError: nothing may be sent there.
    """
    webhooks.check_address(url, is_demo=agency.is_demo)
    secret = webhooks.new_secret()
    row, _ = AlertEndpoint.objects.update_or_create(
        agency=agency, defaults={"url": url, "secret": secret, "is_active": True, "created_at": at}
    )
    audit.record("alert_endpoint.set", by=by, at=at, subject=row)
    return secret


@transaction.atomic
def rotate_endpoint(*, endpoint: AlertEndpoint, by: Actor, at: datetime) -> str:
    """Give the address another secret; returns it, shown this once. The old one signs nothing more."""
    secret = webhooks.new_secret()
    endpoint.secret = secret  # type: ignore[assignment]  # the field is typed as itself
    endpoint.save(update_fields=["secret"])
    audit.record("alert_endpoint.secret_rotated", by=by, at=at, subject=endpoint)
    return secret


@transaction.atomic
def close_endpoint(*, endpoint: AlertEndpoint, by: Actor, at: datetime) -> bool:
    """Send alerts nowhere any more; returns whether they were sent until now."""
    if not AlertEndpoint.objects.filter(pk=endpoint.pk, is_active=True).update(is_active=False):
        return False
    audit.record("alert_endpoint.closed", by=by, at=at, subject=endpoint)
    return True


@transaction.atomic
def test_endpoint(*, agency: Agency, by: Actor, at: datetime) -> Alert:
    """
    Send a message that says nothing, to see whether the system takes it; its answer stands among the past alerts.

    :raises NoEndpointError: there is no address.
    """
    endpoint = AlertEndpoint.objects.filter(agency=agency, is_active=True).first()
    if endpoint is None:
        raise NoEndpointError("There is no address to send to.")
    row = Alert.objects.create(
        agency=agency, kind=kinds.TEST, key=uuid.uuid4().hex, began_at=at, ended_at=at, due_at=at
    )
    audit.record("alert_endpoint.tested", by=by, at=at, subject=endpoint)
    return row


def claim(*, agency_id: int, at: datetime) -> webhooks.Letter | None:
    """Claim the next message that is due; it comes back unless it is settled. Outside any scope."""
    with job_scope(agency_id=agency_id):
        row = (
            Alert.objects.untold(at)
            .filter(agency_id=agency_id)
            .select_related("agency")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")
            .first()
        )
        if row is None:
            return None
        endpoint = AlertEndpoint.objects.filter(agency_id=agency_id, is_active=True).first()
        if endpoint is None:
            Alert.objects.filter(agency_id=agency_id, due_at__isnull=False).update(due_at=None)
            return None
        Alert.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1, due_at=at + LEASE)
        return letter_to(
            endpoint,
            row_id=row.pk,
            message_id=f"msg_{row.pk.hex}{'' if row.ended_at is None else '_over'}",
            message=_message(row),
            attempts=row.attempts + 1,
            tried_since=row.ended_at or row.began_at,
            is_demo=row.agency.is_demo,
            at=at,
        )


def letter_to(
    endpoint: AlertEndpoint,
    *,
    row_id: uuid.UUID,
    message_id: str,
    message: Mapping[str, Any],
    attempts: int,
    tried_since: datetime,
    is_demo: bool,
    at: datetime,
) -> webhooks.Letter:
    """A message to the agency's system, signed as of now."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return webhooks.Letter(
        delivery_id=row_id,
        url=endpoint.url,
        body=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "CallPrivacy",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": webhooks.sign(endpoint.secret, message_id=message_id, at=at, body=body),
        },
        attempts=attempts,
        tried_since=tried_since,
        is_demo=is_demo,
    )


def outcome(
    letter: webhooks.Letter, *, status: int, words: str, chance: float, at: datetime
) -> dict[str, Any]:
    """Columns of a message after a try: taken, due again after a pause, or given up after three days."""
    if 200 <= status < 300:
        return {"due_at": None, "last_status": words[:120]}
    again = webhooks.next_try(letter, PAUSES, status=status, chance=chance, at=at)
    return {"due_at": again, "last_status": (words if again else f"{_DEAD}{words}")[:120]}


def _message(row: Alert) -> Mapping[str, Any]:
    alarm = kinds.ALARMS.get(row.kind)
    about = {
        "alert": str(row.pk),
        "agency": row.agency.slug,
        "kind": row.kind,
        "began_at": row.began_at.isoformat(),
    }
    if alarm is None:
        return {"type": TEST, "timestamp": row.began_at.isoformat(), "data": about}
    about |= {
        "key": row.key,
        "title": alarm.title,
        "to_do": alarm.to_do,
        "page": f"{settings.CALLPRIVACY_URL}{reverse('retention:watch')}",
        "runbook": alarm.runbook,
    }
    if row.ended_at is None:
        return {"type": BEGAN, "timestamp": row.began_at.isoformat(), "data": {**about, "count": row.count}}
    over = {**about, "ended_at": row.ended_at.isoformat()}
    return {"type": OVER, "timestamp": row.ended_at.isoformat(), "data": over}


def settle(
    *, agency_id: int, letter: webhooks.Letter, status: int, words: str, chance: float, at: datetime
) -> None:
    """
    Write down what came of a message: taken, to be tried again, or given up after three days.

    :param chance: 0 to 1; spreads the pauses.
    """
    with job_scope(agency_id=agency_id):
        # What ended while its beginning was on the way has another message to send.
        is_over = letter.headers["webhook-id"].endswith("_over")
        row = Alert.objects.filter(pk=letter.delivery_id, due_at__isnull=False, ended_at__isnull=not is_over)
        row.update(**outcome(letter, status=status, words=words, chance=chance, at=at))


def is_dead(row: Alert) -> bool:
    """Whether the agency's system was never reached with what the alert is now."""
    return row.last_status.startswith(_DEAD)
