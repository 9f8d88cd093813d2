#!/bin/bash
# Behaves as the official entrypoint does where a diagnosis can see it.
set -eo pipefail

[ "${1:0:1}" = - ] && set -- mariadbd "$@"
case $1 in mariadbd | mysqld) ;; *) exec "$@" ;; esac

data=/var/lib/mysql
socket=/run/mysqld/mysqld.sock
note() { echo "$(date -Iseconds) [$1] [Entrypoint]: $2"; }

# MARIADB_X, MYSQL_X or what stands in the file that X_FILE names.
value() {
  local name
  for name in "MARIADB_$1" "MYSQL_$1"; do
    local file="${name}_FILE"
    if [ -n "${!name}" ] && [ -n "${!file}" ]; then
      note ERROR "Both $name and $file are set (but are exclusive)" >&2
      exit 1
    fi
    if [ -n "${!file}" ]; then cat "${!file}" && return; fi
    if [ -n "${!name}" ]; then printf '%s' "${!name}" && return; fi
  done
}

if [ "$(id -u)" = 0 ]; then
  note Note "Switching to dedicated user 'mysql'"
  mkdir -p "$data"
  find "$data" /run/mysqld ! -user mysql -exec chown mysql: '{}' +
  exec gosu mysql "$0" "$@"
fi

if [ ! -d "$data/mysql" ]; then
  root=$(value ROOT_PASSWORD)
  user=$(value USER)
  password=$(value PASSWORD)
  database=$(value DATABASE)
  if [ -z "$root$(value ROOT_PASSWORD_HASH)$(value ALLOW_EMPTY_ROOT_PASSWORD)$(value RANDOM_ROOT_PASSWORD)" ]; then
    note ERROR 'Database is uninitialized and password option is not specified' >&2
    printf '\tYou need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, %s\n' \
      'MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD' >&2
    exit 1
  fi
  note Note 'Initializing database files'
  mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db >/dev/null
  note Note 'Starting temporary server'
  mariadbd --skip-networking --socket="$socket" &
  server=$!
  for _ in $(seq 300); do
    mariadb-admin --no-defaults --socket="$socket" -uroot ping >/dev/null 2>&1 && break
    sleep 0.1
  done
  note Note 'Temporary server started.'
  sql() { mariadb --no-defaults --socket="$socket" -uroot --database="${1:-mysql}"; }
  quoted() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\\\'}"; }
  [ -n "$root" ] || root=$([ -n "$(value RANDOM_ROOT_PASSWORD)" ] && head -c 24 /dev/urandom | base64 || true)
  check=$(head -c 24 /dev/urandom | base64)
  {
    echo "delete from mysql.global_priv where user <> 'mariadb.sys' and (user <> 'root' or host <> 'localhost'); flush privileges;"
    echo "create user 'root'@'%' identified by $(quoted "$root"); grant all on *.* to 'root'@'%' with grant option;"
    for host in 127.0.0.1 ::1 localhost; do
      echo "create user 'healthcheck'@'$host' identified by $(quoted "$check");"
    done
    [ -z "$database" ] || echo "create database if not exists \`$database\`;"
    if [ -n "$user" ] && [ -n "$password" ]; then
      echo "create user $(quoted "$user")@'%' identified by $(quoted "$password");"
      [ -z "$database" ] || echo "grant all on \`${database//_/\\_}\`.* to $(quoted "$user")@'%';"
    fi
    echo "alter user 'root'@'localhost' identified by $(quoted "$root");"
  } | sql
  printf '[mariadb-client]\nport=3306\nsocket=%s\nuser=healthcheck\npassword=%s\n' "$socket" "$check" >"$data/.my-healthcheck.cnf"
  sql() { MYSQL_PWD=$root mariadb --no-defaults --socket="$socket" -uroot --database="${1:-mysql}"; }
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) note Note "$0: running $file" && if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) note Note "$0: running $file" && sql "$database" <"$file" ;;
      */\*) ;;
      *) note Warn "$0: ignoring $file" ;;
    esac
  done
  note Note 'Stopping temporary server'
  kill "$server" && wait "$server"
  note Note 'MariaDB init process done. Ready for start up.'
fi
exec "$@"
