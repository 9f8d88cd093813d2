#!/bin/sh
# Behaves as the official entrypoint does where a diagnosis can see it: one master, in the foreground.
set -e
[ "${1#-}" = "$1" ] || set -- haproxy "$@"
if [ "$1" = haproxy ]; then
  shift
  set -- haproxy -W -db "$@"
fi
exec "$@"
