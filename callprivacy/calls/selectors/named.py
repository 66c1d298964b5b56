"""Callers found by their stable name, "K7-42Q", which is computed from the id and stored nowhere."""

from collections.abc import Collection

from django.db.models import BigIntegerField, F, Func, QuerySet

from callprivacy.calls.models import LABELS, Caller, label_number


class _LabelNumber(Func):
    """The remainder of an id that its name shows, from the id's four parts of 32 bits."""

    output_field = BigIntegerField()
    template = (
        "("
        + "(" * 3
        + ("{0} %%%% {m}) * {t} + {1}) %%%% {m} * {t} + {2}) %%%% {m} * {t} + {3}) %%%% {m}").format(
            *(
                f"('x' || substr(replace(%(expressions)s::text, '-', ''), {1 + 8 * part}, 8))::bit(32)::bigint"
                for part in range(4)
            ),
            m=LABELS,
            t=2**32 % LABELS,
        )
    )


def callers_named(client_ids: Collection[int], label: str) -> QuerySet[Caller]:
    """
    The callers of these clients with this name who are not restricted; none for what is no name. Every id is read.
    """
    number = label_number(label)
    if number is None:
        return Caller.objects.none()
    found = Caller.objects.filter(client_id__in=client_ids, restricted_at__isnull=True)
    return found.annotate(named=_LabelNumber(F("id"))).filter(named=number).select_related("client")
