#!/bin/bash
set -euo pipefail
if [[ $1 == rabbitmq* ]] && [ "$(id -u)" = 0 ]; then
  if [ "$1" = rabbitmq-server ]; then
    find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq '{}' +
  fi
  exec gosu rabbitmq "$0" "$@"
fi
# RABBITMQ_DEFAULT_USER, _PASS and _VHOST are read by the server itself, at its first start alone.
exec "$@"
