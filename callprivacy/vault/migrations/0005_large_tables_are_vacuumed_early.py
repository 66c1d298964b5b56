"""Keys that runs destroy each night leave no bloat: the vault's large tables are vacuumed as early as those of the calls."""

from django.db import migrations

_TABLES = ("vault_caller", "vault_recordingkey", "vault_tombstone", "vault_suppression", "vault_listednumber")
_SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
}


class Migration(migrations.Migration):
    dependencies = [("vault", "0004_databases_of_one_age")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET ({', '.join(f'{name} = {value}' for name, value in _SETTINGS.items())});",
            f"ALTER TABLE {table} RESET ({', '.join(_SETTINGS)});",
        )
        for table in _TABLES
    ]
