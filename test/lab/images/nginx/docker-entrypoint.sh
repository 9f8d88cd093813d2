#!/bin/sh
set -e
if [ "$1" = nginx ]; then
  for file in /docker-entrypoint.d/*.sh; do
    [ -x "$file" ] && "$file"
  done
  echo "$0: Configuration complete; ready for start up"
fi
exec "$@"
