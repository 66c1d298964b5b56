"""A declared table: sorted, filtered and paged by its address, and the same rows as a file."""

import csv
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from callprivacy.accounts.models import Membership
from callprivacy.lib import keyset
from callprivacy.tenancy.scope import job_scope
from governance.models import Vendor
from governance.selectors import vendors as selectors
from governance.services import breaches, vendors
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.governance.test_vendors import TODAY, _add
from tests.make import NOON
from tests.rules.source import ROOT

pytestmark = pytest.mark.django_db


def _vendors(cast: Cast) -> None:
    first = _add(cast)
    for number, days in enumerate([3, 1, None, 3, 2, None]):
        day = None if days is None else TODAY + timedelta(days=days)
        Vendor.objects.create(
            **{
                field.attname: getattr(first, field.attname)
                for field in Vendor._meta.concrete_fields
                if not field.primary_key
            }
            | {"name": f"Vendor {number}", "next_review_on": day}
        )


@pytest.mark.parametrize("order", [None, "name", "-name", "next_review_on", "-next_review_on"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_hold_each_row_once_forwards_and_back_also_without_a_value(
    cast: Cast, order: str | None, size: int
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _vendors(cast)
        rows = selectors.register().order_by(order) if order else selectors.register()
        wanted = [one.pk for one in rows.order_by(*rows.query.order_by, "pk")]
        there: list[list[object]] = []
        said: dict[str, str] = {}
        while True:
            page, before, after = keyset.page(rows, said, size=size)
            there.append([one.pk for one in page])
            if after is None:
                break
            said = {"after": str(after)}
        back = [there[-1]]
        while before is not None:
            page, before, after = keyset.page(rows, {"before": str(before)}, size=size)
            assert after == page[-1].pk
            back.insert(0, [one.pk for one in page])
    assert [one for page in there for one in page] == wanted
    assert back == there
    assert len(there) == -(-7 // size)


@pytest.mark.parametrize("raw", ["", "x", "0d4f4b8e-6f0e-4b0a-9d62-3b1f6c1d2e3f"])
def test_a_page_after_nothing_is_the_first_one(cast: Cast, raw: str) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _vendors(cast)
        page, before, after = keyset.page(selectors.register(), {"after": raw}, size=2)
    assert (len(page), before, after) == (2, None, page[1].pk)


def test_a_list_is_sorted_by_declared_columns_only(
    cast: Cast,
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _vendors(cast)
    alice, url = signed_in(cast.alice), reverse("governance:vendors")
    names = re.compile(r'class="row-link"[^>]*>([^<]+)<')
    assert names.findall(alice.get(f"{url}?sort=-name").content.decode())[:2] == ["Vendor 5", "Vendor 4"]
    first = names.findall(alice.get(url).content.decode())
    assert names.findall(alice.get(f"{url}?sort=agency__slug").content.decode()) == first


def test_filters_stand_in_the_address_and_count_for_the_file(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for title, is_drill in (("=cmd|x", False), ("A drill", True)):
            breaches.report_breach(
                agency=cast.acme,
                title=title,
                text="What happened",
                is_drill=is_drill,
                reported_by=cast.alice.user_id,
                at=NOON,
            )
    alice, url = signed_in(cast.alice), reverse("governance:breaches")
    page = alice.get(f"{url}?drills=no&state=nonsense").content.decode()
    assert "cmd|x" in page
    assert "A drill" not in page.partition("grid-table")[2].partition("</table>")[0]
    assert "file=csv" in page
    assert "No rows match these filters" in alice.get(f"{url}?state=closed").content.decode()
    answer = alice.get(f"{url}?drills=only&file=csv")
    rows = list(csv.reader(answer.content.decode("utf-8-sig").splitlines()))
    assert rows[0][:3] == ["Breach", "Breach, note", "Status"]
    assert [row[0] for row in rows[1:]] == ["2: A drill"]
    assert answer["Content-Disposition"].startswith('attachment; filename="breaches-')


def test_a_person_from_whom_files_are_withheld_takes_no_list(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=cast.alice.pk).update(withheld_from=make.now() - timedelta(days=1))
    alice, url = signed_in(cast.alice), reverse("governance:vendors")
    assert alice.get(url).status_code == 200
    assert alice.get(f"{url}?file=csv").status_code == 403


def test_the_list_that_contributors_copy_is_the_real_one_and_short(cast: Cast) -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = guide.partition("```python\n")[2].partition("```")[0]
    assert code in (ROOT / "governance/views/vendor_certificates.py").read_text(encoding="utf-8")
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        for name, days in (("SOC 2", 10), ("ISO 27001", 400)):
            vendors.add_certificate(
                vendor=vendor,
                name=name,
                valid_until=TODAY + timedelta(days=days),
                source="",
                by=make.JOB,
                at=NOON,
            )
    alice, url = signed_in(cast.alice), reverse("governance:vendor_certificates")
    narrowed = f"{url}?valid_until={TODAY + timedelta(days=30)}&vendor={vendor.pk}"
    assert "ISO 27001" in alice.get(url).content.decode()
    page = alice.get(narrowed).content.decode()
    assert ("SOC 2" in page, "ISO 27001" in page) == (True, False)
    assert len(alice.get(f"{narrowed}&file=csv").content.decode().splitlines()) == 2
    assert signed_in(cast.bob).get(url).status_code == 403
