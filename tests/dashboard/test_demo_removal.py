"""The demo is removed as a whole, by who may; one demo stands in databases of its own, and each test rolls back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from dashboard import services, tasks
from retention.enums import Category
from retention.selectors import changes
from tests import ground, make
from tests.accounts.browsers import signed_in
from tests.dashboard import demos
from tests.dashboard.test_demo import _kept, _person, _refuse, _rows_of, state

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

__all__ = ["state"]

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def made(
    databases: ground.Databases,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Agency]:
    """A demo of three days, committed, in the databases that this file's tests use."""
    folder = tmp_path_factory.mktemp("demo")
    with demos.standing(databases, django_db_blocker, folder, at=make.now(), DAYS=3) as agency:
        yield agency


@pytest.fixture
def agency(made: Agency, db: None) -> Agency:
    """The demo, in a test that rolls back."""
    return made


def test_a_removal_that_was_cut_off_leaves_an_unfinished_demo(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_client_id: int) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(files, "delete_all", crash)
        with pytest.raises(OSError):  # noqa: PT011  (ours, without a text)
            services.remove_demo(agency_id=agency.pk, by=make.JOB, at=make.NOON)

    assert services.what_there_is() == "unfinished"
    services.remove_demo(agency_id=agency.pk, by=make.JOB, at=make.NOON)
    assert services.what_there_is() == "nothing"


def test_beside_an_agency_of_ones_own_the_first_start_stays_over(agency: Agency, state: Path) -> None:
    make.agency("Acme")

    services.remove_demo(agency_id=agency.pk, by=make.JOB, at=make.NOON)

    assert _kept(state) == ["started-with"]


@pytest.mark.thorough
def test_either_officer_signs_what_the_other_proposes(agency: Agency) -> None:
    with job_scope(agency_id=agency.pk):
        officers = Membership.objects.filter(role=Role.OFFICER).order_by("pk")
        first, second = officers.values_list("user_id", flat=True)
        wishes = [
            changes.Wish(agency, client, Category.CALL, 45)
            for client in (None, *Client.objects.select_related("agency"))
        ]
        assert len(wishes) == 13
        for wish in wishes:
            plan = changes.plan(wish)
            assert plan.shortens
            assert changes.deciders(plan, but=first, at=make.now()) == [second]
            assert changes.deciders(plan, but=second, at=make.now()) == [first]


@pytest.mark.thorough
def test_one_click_shows_the_extent_and_a_second_removes(
    agency: Agency,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.remove_demo, "delay", lambda **ids: sent.append(ids))
    browser = signed_in(_person(agency, Role.OFFICER))
    assert "Remove the demo</button>" in browser.get("/overview/").content.decode()

    with django_capture_on_commit_callbacks(execute=True):
        shown = browser.post("/demo/remove/")
    assert shown.status_code == 200
    assert "<dd>12</dd>" in shown.content.decode()
    assert "<dd>9</dd>" in shown.content.decode()
    assert sent == []
    assert browser.get("/overview/").status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        done = browser.post("/demo/remove/", {"confirmed": "1"}, follow=True)
    page = done.content.decode()
    assert done.redirect_chain == [("/demo/removed/", 302)]
    assert "is being removed" in page
    assert "make run" in page
    assert ".venv/bin/python manage.py create_agency NAME --officer EMAIL" in page
    assert sent == [{"agency_id": agency.pk}]
    assert browser.get("/overview/").status_code == 302

    tasks.remove_demo(agency_id=agency.pk)
    events = _events(agency)
    tasks.remove_demo(agency_id=agency.pk)

    assert _rows_of(agency) == (0, 0, 0)
    assert _events(agency) == events
    assert _kept(state) == []


def _events(agency: Agency) -> int:
    with job_scope(agency_id=agency.pk):
        return Event.objects.count()


def test_who_may_not_remove_it_is_not_offered_to(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.remove_demo, "delay_on_commit", _refuse)
    browser = signed_in(_person(agency, Role.REVIEWER))

    page = browser.get("/overview/").content.decode()

    assert "This is the demo" in page
    assert "Remove the demo" not in page
    assert browser.post("/demo/remove/").status_code == 403
    assert browser.post("/demo/remove/", {"confirmed": "1"}).status_code == 403
    assert browser.get("/demo/remove/").status_code == 405
    assert services.what_there_is() == "demo"
