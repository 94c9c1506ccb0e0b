#!/bin/bash
# Gives every database the extension, those made later by way of template1.
set -Eeuo pipefail

for database in template1 postgres "$POSTGRES_DB"; do
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$database" \
        --command="set client_min_messages = warning" \
        --command="create extension if not exists timescaledb"
done
