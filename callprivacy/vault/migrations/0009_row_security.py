"""A role sees in the vault what the program signed for the transaction (docs/adr/0124)."""

from typing import Any

from django.db import connections, migrations, models

from callprivacy.vault.rls import signed_scopes

# Each is one statement: the first use of an expression in a transaction costs most, and most have one statement more.
_ENTERING = """
-- Enters what the program signed, until the transaction ends. Clients of another agency than that of the scope are an
-- error and no empty answer. Digests are compared: how long it takes tells nothing.
CREATE FUNCTION enter_vault(token text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    fault text;
BEGIN
    SELECT CASE
        WHEN NOT EXISTS (
            SELECT FROM tenancy_scopekey p WHERE p.number > 0 AND sha256(convert_to(right(token, 64), 'UTF8'))
                = sha256(convert_to(scope_mac(convert_to(left(token, -65), 'UTF8'), p.inner_pad, p.outer_pad), 'UTF8'))
        ) THEN 'No key of this database signed the scope; run the release step.'
        WHEN to_timestamp(split_part(token, ' ', 1)::bigint) <= now()
            THEN 'The scope was signed too long ago; compare the clocks.'
        WHEN split_part(token, ' ', 2) <> 'vault' THEN 'The scope is not one of the vault.'
        WHEN EXISTS (
            SELECT FROM vault_clientkey c
            WHERE c.client_id = ANY (nullif(split_part(token, ' ', 5), '')::bigint[])
                AND c.agency_id <> nullif(split_part(token, ' ', 3), '')::bigint
        ) THEN 'The scope is of an agency that does not hold this client.'
        ELSE left(set_config('callprivacy.scope', said.words || ' '
            || scope_seal(said.words, k.inner_pad, k.outer_pad), true), 0)
    END INTO fault
    FROM tenancy_scopekey k, substr(left(token, -65), strpos(token, ' ') + 1) AS said (words) WHERE k.number = 0;
    IF fault <> '' THEN
        RAISE insufficient_privilege USING MESSAGE = fault;
    END IF;
END $$;

-- What was entered: "vault", the agency, "keys" for all of its keys, and the ids of clients. Without a scope it is an error to look at a row: a job
-- must not conclude that there is none.
CREATE FUNCTION scope_entered() RETURNS text[] LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    parts text[];
BEGIN
    SELECT string_to_array(left(said.words, -65), ' ', '') INTO parts
    FROM tenancy_scopekey k, current_setting('callprivacy.scope', true) AS said (words)
    WHERE k.number = 0 AND right(said.words, 64) = scope_seal(left(said.words, -65), k.inner_pad, k.outer_pad);
    IF parts IS NULL THEN
        RAISE insufficient_privilege USING MESSAGE = 'No scope of the vault was entered in this transaction.';
    END IF;
    RETURN parts;
END $$;
"""

# One look at what was entered for each table: who is named, or everybody where nobody is. It is no condition by which a
# row is found, and PostgreSQL takes half of the rows to meet it: it goes on planning by what the statement asks.
_NAMED = "coalesce(client_id = ANY ((SELECT ((scope_entered())[4])::bigint[])::bigint[]), true)"
_KEYS = "agency_id = (SELECT CASE WHEN (scope_entered())[3] = 'keys' THEN ((scope_entered())[2])::bigint END)"
_IN_AGENCY = "agency_id = coalesce((SELECT ((scope_entered())[2])::bigint), agency_id)"
_ENTERED = "(SELECT scope_entered()) IS NOT NULL"

_TABLES = {
    "caller": (_NAMED, _NAMED),
    "recordingkey": (_NAMED, _NAMED),
    "tombstone": (_NAMED, _NAMED),
    "calltombstone": (_NAMED, _NAMED),
    "watermark": (_NAMED, _NAMED),
    "suppression": (_NAMED, _NAMED),
    "listednumber": (_NAMED, _NAMED),
    "clientkey": (f"{_NAMED} OR {_KEYS}", f"{_NAMED} AND {_IN_AGENCY}"),
    "pulse": (_ENTERED, _ENTERED),
    "foldermark": (_ENTERED, _ENTERED),
}


def _fill(apps: Any, schema_editor: Any) -> None:
    """A listed number is the agency's whose register it is on, which the other database says; else nobody's."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT list_id FROM vault_listednumber")
        lists = [list_id for (list_id,) in cursor.fetchall()]
        if not lists:
            return
        with connections["default"].cursor() as other:
            other.execute("SELECT -agency_id, id FROM consent_numberlist WHERE id = ANY(%s)", [lists])
            cursor.executemany("UPDATE vault_listednumber SET client_id = %s WHERE list_id = %s", other.fetchall())


class Migration(migrations.Migration):
    dependencies = [("vault", "0008_starts_of_erased_calls")]

    operations = [
        migrations.AddField("listednumber", "client_id", models.BigIntegerField(db_default=0)),
        migrations.RunPython(_fill, migrations.RunPython.noop),
        migrations.AlterField("listednumber", "client_id", models.BigIntegerField()),
        *signed_scopes(),
        migrations.RunSQL(_ENTERING),
        *(
            migrations.RunSQL(
                f"ALTER TABLE vault_{table} ENABLE ROW LEVEL SECURITY;"
                f" CREATE POLICY vault_{table}_scope ON vault_{table} USING ({using}) WITH CHECK ({check});"
            )
            for table, (using, check) in _TABLES.items()
        ),
    ]
