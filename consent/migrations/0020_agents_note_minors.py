"""An agent who hears that a caller is a minor notes it at the desk; taking it back is for who manages consent."""

from django.db import migrations

_AGENCY = "agency_id = (SELECT scope_agency())"
_MANAGES = "client_id = ANY (ARRAY(SELECT scope_clients('manage_consent')))"
_ANSWERS = "client_id = ANY (ARRAY(SELECT scope_clients('answer_calls')))"


def _noted(condition: str) -> str:
    return f"ALTER POLICY consent_minormark_insert ON consent_minormark WITH CHECK ({_AGENCY} AND {condition});"


class Migration(migrations.Migration):
    dependencies = [("consent", "0019_news_as_proven_as_its_link")]

    operations = [migrations.RunSQL(_noted(f"({_MANAGES} OR {_ANSWERS})"), _noted(_MANAGES))]
