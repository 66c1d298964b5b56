#!/bin/bash
# Both databases and their three roles, as docs/configuration.md has them; PostgreSQL's image runs this once, in an empty data folder.
set -euo pipefail
psql --set=ON_ERROR_STOP=1 --set=owner="$OWNER_PASSWORD" --set=app="$APP_PASSWORD" --set=vault="$VAULT_PASSWORD" \
    --dbname=postgres <<'SQL'
CREATE ROLE callprivacy_owner LOGIN PASSWORD :'owner';
CREATE ROLE callprivacy_app LOGIN PASSWORD :'app';
CREATE ROLE callprivacy_vault LOGIN PASSWORD :'vault';
CREATE DATABASE callprivacy OWNER callprivacy_owner TEMPLATE template0 ENCODING 'UTF8';
CREATE DATABASE callprivacy_vault OWNER callprivacy_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE callprivacy, callprivacy_vault FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE callprivacy TO callprivacy_app;
GRANT CONNECT, TEMPORARY ON DATABASE callprivacy_vault TO callprivacy_vault;
SQL
for database in callprivacy:callprivacy_app callprivacy_vault:callprivacy_vault; do
    psql --set=ON_ERROR_STOP=1 --set=role="${database#*:}" --dbname="${database%:*}" <<'SQL'
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE callprivacy_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE callprivacy_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE callprivacy_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE callprivacy_owner IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO :"role";
SQL
done
