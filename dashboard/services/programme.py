"""
The demo's programme: vendors, one of them never reviewed; trainings, one of them overdue; a breach that was handled and
one that was just reported; an office with visitors. Made by the same services and jobs as in life.
"""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from dashboard.selectors import records as record_selectors
from dashboard.services import binders, records
from governance.courses import courses, draw
from governance.enums import Answer, BreachKind, BreachRisk, EntrySource, NoticeTo, ReviewDecision
from governance.law import vendors as law
from governance.models import BreachNotice, Vendor
from governance.services import badge_systems, breaches, premises, training, vendors
from governance.services import courses as own_courses
from rights.services import figures

_WORDS: Final = {
    "contact": "Northlight, 12 Harbor Street; privacy@northlight.example",
    "representative": "",
    "representatives": {},
    "officer": "privacy@northlight.example",
    "joint": "",
    "recipients": "Example Hosting: keeps the servers",
    "measures": "Laptops are encrypted\nVisitors are signed in at the door",
    "purposes": {},
}
_WEAK: Final = {"own_use": Answer.PARTLY, "tested": Answer.NO, "audits": Answer.PARTLY}


def fill(agency: Agency, people: Mapping[Role, Membership], *, at: datetime) -> None:
    """Fill the programme of a demo agency. Outside any scope."""
    officer = people[Role.OFFICER]
    by = Actor.staff(user_id=officer.user_id)
    with job_scope(agency_id=agency.pk):
        _vendors(agency, officer, by, at)
        _breaches(agency, people, by, at)
        _premises(agency, people, by, at)
        _training(agency, people, by, at)
    training.watch_training(agency_id=agency.pk, at=at)
    _proof(agency, officer, by, at)


def _proof(agency: Agency, officer: Membership, by: Actor, at: datetime) -> None:
    """Records with an older snapshot, figures of two clients, and a binder that the first sweep builds."""
    before = at - timedelta(days=9)
    records.read(agency_id=agency.pk, at=before)
    with job_scope(agency_id=agency.pk):
        records.set_words(agency=agency, said=_WORDS | {"recipients": ""}, by=by, at=before)
        present = record_selectors.present()
        if present is not None:
            records.take_snapshot(agency=agency, seen=present.digest, by=by, at=before)
        records.set_words(agency=agency, said=_WORDS, by=by, at=at - timedelta(days=2))
        clients = list(Client.objects.filter(agency=agency, home_country="US").order_by("pk")[:2])
        for client, revenue in zip(clients, (4_200_000, 31_000_000), strict=False):
            said = {
                "nonprofit": False,
                "revenue": revenue,
                "sale_share": 0,
                "traded": {"CA": 0},
                "people": {},
            }
            figures.set_facts(client=client, said={**said, "ask": ""}, by=by, at=at - timedelta(days=30))
        for client in clients[:1]:
            binders.request_binder(client=client, by=Actor.staff(user_id=officer.user_id), at=at)
    records.read(agency_id=agency.pk, at=at)


def _vendors(agency: Agency, officer: Membership, by: Actor, at: datetime) -> None:
    today = calendars.day_in(agency.time_zone, at)
    for name in ("callrail", "twilio", "invoca"):
        sheet = law.sheets()[name]
        vendor = vendors.add_vendor(
            agency=agency,
            facts=vendors.Facts.from_sheet(sheet),
            sheet=name,
            verified_on=None,
            by=by,
            at=at - timedelta(days=70),
        )
        if name != "invoca":
            _reviewed(vendor, officer, at - timedelta(days=60))
            continue
        vendors.add_sub_processor(
            vendor=vendor,
            name="Northern Speech",
            what_for="Turns recordings into text",
            places="Canada",
            noticed_on=today - timedelta(days=6),
            object_until=today + timedelta(days=24),
            by=by,
            at=at - timedelta(days=6),
        )


def _reviewed(vendor: Vendor, officer: Membership, at: datetime) -> None:
    answers = {question.id: Answer.YES for question in law.questions()}
    vendors.review_vendor(
        vendor=vendor,
        answers=answers | _WEAK,
        notes={"dpa": "Contract folder, 2026"},
        decision=ReviewDecision.CONDITIONS,
        words="Recordings are deleted by rule after 90 days. To be asked again: use for models of its own.",
        next_on=at.date() + timedelta(days=365),
        reviewed_by=officer.user_id,
        at=at,
    )


def _breaches(agency: Agency, people: Mapping[Role, Membership], by: Actor, at: datetime) -> None:
    then = at - timedelta(days=40)
    drill = breaches.report_breach(
        agency=agency,
        title="A laptop is left in a taxi",
        text="A drill: a reviewer's laptop, signed in, was left in a taxi at 18:10. It was locked from afar at 18:40.",
        is_drill=True,
        reported_by=people[Role.REVIEWER].user_id,
        at=then,
    )
    said = breaches.Assessment(
        aware_at=then,
        kind=BreachKind.CONFIDENTIALITY,
        risk=BreachRisk.RISK,
        categories=("numbers", "calls"),
        places=("US-CA", "DE"),
        client_ids=(),
        began_at=then - timedelta(minutes=50),
        ended_at=then - timedelta(minutes=20),
        people=120,
        records=300,
        effects="Unwanted calls; no recordings could be reached.",
        remedy="The sessions were ended, the password was changed, the disk is encrypted.",
    )
    breaches.assess_breach(breach=drill, assessment=said, by=by, at=then + timedelta(minutes=25))
    for notice in BreachNotice.objects.filter(breach=drill):
        more_on = then.date() + timedelta(days=2) if notice.to == NoticeTo.AUTHORITY else None
        breaches.send_notice(
            notice=notice,
            text="Kept as it would have been sent.",
            more_on=more_on,
            by=by,
            at=then + timedelta(hours=3),
        )
    for notice in BreachNotice.objects.filter(breach=drill, phase=2):
        breaches.send_notice(
            notice=notice,
            text="What the logs showed on the next morning.",
            by=by,
            at=then + timedelta(hours=20),
        )
    breaches.close_breach(
        breach=drill,
        lessons="The number of the taxi company was not at hand. It stands on the intranet now.",
        by=by,
        at=then + timedelta(days=1),
    )
    breaches.report_breach(
        agency=agency,
        title="A report to the wrong client",
        text="I mailed last month's report of one client to another. It has counts only, no calls. They deleted it.",
        is_drill=False,
        reported_by=people[Role.ACCOUNT_MANAGER].user_id,
        at=at - timedelta(hours=5),
    )


def _premises(agency: Agency, people: Mapping[Role, Membership], by: Actor, at: datetime) -> None:
    site = premises.add_site(
        agency=agency,
        name="Head office",
        address="12 Harbor Street",
        time_zone=agency.time_zone,
        weekdays=range(1, 6),
        opens=time(7, 30),
        closes=time(19),
        rooms=["Call room", "Server room"],
        by=by,
        at=at - timedelta(days=100),
    )
    badge_systems.create_key(site=site, name="Readers at the doors", by=by, at=at - timedelta(days=90))
    zone = ZoneInfo(site.time_zone)
    passings = []
    for role in (Role.REVIEWER, Role.ANALYST, Role.OFFICER):
        premises.give_badge(
            site=site,
            user_id=people[role].user_id,
            label=f"Badge of {role.label.lower()}",
            code=f"demo {role}",
            any_hour=role == Role.OFFICER,
            until_on=None,
            rooms=["Call room"] if role == Role.REVIEWER else [],
            by=by,
            at=at - timedelta(days=90),
        )
        for days in range(1, 6):
            day = (at - timedelta(days=days)).astimezone(zone).date()
            came, left = (datetime.combine(day, hour, tzinfo=zone) for hour in (time(8, 41), time(17, 5)))
            passings += [
                premises.Passing(f"{role} {day} in", f"demo {role}", is_in=True, at=came),
                premises.Passing(f"{role} {day} out", f"demo {role}", is_in=False, at=left),
            ]
    premises.take_in(
        site=site, passings=passings, source=EntrySource.FILE, by=by, at=at - timedelta(minutes=1)
    )
    premises.come_by_kiosk(
        site=site,
        reference="demo visit",
        visitor="Robin Vale",
        company="Vale Electric",
        host_id=people[Role.ADMIN].user_id,
        purpose="The meter",
        by=by,
        at=at - timedelta(minutes=30),
    )


def _training(agency: Agency, people: Mapping[Role, Membership], by: Actor, at: datetime) -> None:
    for name in ("privacy-basics", "phishing", "call-recording"):
        training.set_rules(
            agency=agency,
            course=courses()[name],
            within={Role.REVIEWER: 14, Role.ACCOUNT_MANAGER: 14, Role.ANALYST: 30},
            by=by,
            at=at - timedelta(days=60),
        )
    for role, name in (
        (Role.OFFICER, "breaches"),
        (Role.REVIEWER, "privacy-basics"),
        (Role.ANALYST, "phishing"),
    ):
        course, when = courses()[name], at - timedelta(days=20)
        attempt = training.start_attempt(agency=agency, course=course, user_id=people[role].user_id, at=when)
        training.finish_attempt(
            attempt=attempt,
            course=course,
            answers={one.number: int(place == 0) for place, one in enumerate(draw(course, attempt.seed))},
            user_id=people[role].user_id,
            at=when + timedelta(minutes=22),
        )
    _own_course(agency, by, at - timedelta(days=30))
    training.assign(
        agency=agency,
        course=courses()["requests"],
        user_ids=[people[Role.AGENT].user_id],
        due_on=(at - timedelta(days=3)).date(),
        by=by,
        at=at - timedelta(days=17),
    )


_HOUSE: Final = (
    (
        "Headphones, always",
        "Headphones on, at home as well.\n\n- The call room's door is shut.\n- Nobody reads on trains.",
    ),
    (
        "A case: the open window",
        "A call was played beside an open window, and a neighbour knew the voice. **The room** was wrong.",
    ),
    (
        "Whom to ask",
        "Ask the compliance officer before you do something for the first time. Nobody holds it against you.",
    ),
)
_ASKED: Final = (
    ("What do you listen to calls with?", "Headphones", "Speakers, quietly", "Whatever is at hand"),
    ("The door of the call room is", "shut", "ajar", "a matter of taste"),
    ("A transcript is read", "at the desk", "on the train", "in the kitchen"),
    ("What was wrong in the case?", "The room", "The recording", "The neighbour"),
    ("You do something for the first time. You", "ask first", "try it out", "leave it to others"),
    ("Who asked too much", "is never blamed", "is moved", "writes a report"),
    ("At home the same rules", "hold", "rest", "hold on weekdays"),
    ("Somebody walks in while you listen. You", "stop the call", "turn your back", "go on"),
)


def _own_course(agency: Agency, by: Actor, at: datetime) -> None:
    facts = own_courses.Facts(
        title="Listening in our house",
        about="How we listen to calls, and where.",
        minutes=5,
        valid_months=12,
        reviewed_on=at.date(),
        sources=["The house's own rules, version 3"],
    )
    course = own_courses.create_course(agency=agency, facts=facts, by=by, at=at)
    for title, text in _HOUSE:
        own_courses.put_screen(course=course, place=0, title=title, text=text, by=by, at=at)
    for words, *answers in _ASKED:
        own_courses.put_question(
            course=course, place=0, words=words, answers=answers, why="So the house has it.", by=by, at=at
        )
    own_courses.publish(course=course, by=by, at=at)
    own_courses.begin_version(course=course, by=by, at=at + timedelta(days=20))
