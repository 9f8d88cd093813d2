#!/bin/bash
# Behaves as the official entrypoint does where a diagnosis can see it.
set -eo pipefail

[ "${1:0:1}" = - ] && set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
  file=${name}_FILE
  [ -z "${!file}" ] && continue
  [ -z "${!name}" ] || { echo "error: both $name and $file are set (but are exclusive)" >&2 && exit 1; }
  export "$name=$(cat "${!file}")"
  unset "$file"
done

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  find "$PGDATA" ! -user postgres -exec chown postgres '{}' +
  exec gosu postgres "$0" "$@"
fi

if [ -s "$PGDATA/PG_VERSION" ]; then
  printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
  exec "$@"
fi

old=/var/lib/postgresql/data
# Alpine images of before April 2026 do not see this mount (docker-library/postgres#1400) and start beside it.
if [ "$PG_MAJOR" -ge 18 ] && [ -z "$LAB_MISSES_OLD_MOUNT" ] && grep -q " $old " /proc/self/mountinfo; then
  note='(unused mount/volume)'
  [ -s "$old/PG_VERSION" ] && note="(version $(cat "$old/PG_VERSION"))"
  {
    echo 'Error: in 18+, these Docker images are configured to store database data in a'
    echo '       format which is compatible with "pg_ctlcluster" (specifically, using'
    echo '       major-version-specific directory names).'
    echo
    echo '       Counter to that, there appears to be PostgreSQL data in:'
    echo "         $old $note"
  } >&2
  exit 1
fi

if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
  {
    echo 'Error: Database is uninitialized and superuser password is not specified.'
    echo '       You must specify POSTGRES_PASSWORD to a non-empty value for the'
    echo '       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".'
  } >&2
  exit 1
fi

initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") -D "$PGDATA" --no-sync
printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"

# While the init scripts run, the server listens on its socket alone.
pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -p 5432" start
if [ "$database" != postgres ]; then
  psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$user" -d postgres -c "create database \"$database\""
fi
for file in /docker-entrypoint-initdb.d/*; do
  [ -e "$file" ] || continue
  echo "$0: running $file"
  case $file in
    *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
    *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$user" -d "$database" -f "$file" ;;
    *) echo "$0: ignoring $file" ;;
  esac
done
pg_ctl -D "$PGDATA" -m fast -w stop
printf '\nPostgreSQL init process complete; ready for start up.\n\n'
exec "$@"
