"""The shipped rules of the law with other values, put in force at an agency."""

import re

from callprivacy.tenancy.scope import job_scope
from consent import law
from consent.models import RulePack
from tests import make
from tests.cast import Cast


def put_in_force(cast: Cast, **values: str) -> None:
    """Have these values of topics hold at every place that has a rule on them."""
    text = law.shipped_text()
    for topic, value in values.items():
        text = re.sub(rf"(?m)^([^,]+,[^,]*,[^,]*,{topic}),[^,]+,", rf"\1,{value},", text)
    with job_scope(agency_id=cast.acme.pk):
        RulePack.objects.create(
            agency_id=cast.acme.pk, name="Ours", text=text, digest=law.parse_pack(text).digest, is_active=True,
            imported_at=make.NOON, counted_at=make.NOON, activated_at=make.NOON,
        )  # fmt: skip
