#!/bin/bash
# Stands for the official image's: --connect and --innodb_initialized, as a user that the first start made.
set -eo pipefail
ask() { mariadb --defaults-extra-file=/var/lib/mysql/.my-healthcheck.cnf --protocol "$1" --skip-column-names -e "$2"; }
for test in "$@"; do
  case $test in
    # Over TCP, so that the temporary server of the first start is not taken for the real one.
    --connect) ask tcp 'select 1' >/dev/null ;;
    --innodb_initialized) [ "$(ask tcp "select 1 from information_schema.engines where engine = 'innodb' and support in ('YES', 'DEFAULT')")" = 1 ] ;;
    *) echo "healthcheck.sh: unknown test $test" >&2 && exit 1 ;;
  esac
done
