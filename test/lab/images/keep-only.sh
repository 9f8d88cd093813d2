#!/bin/sh
# Empties PATH but for what is named, so that an image lacks what the official one lacks.
# Usage: keep-only [--busybox] program...
set -eu
box=
if [ "$1" = --busybox ]; then box=1; shift; fi
kept=$(mktemp -d)
for program in busybox "$@"; do
  path=$(command -v "$program") || { echo "no such program: $program" >&2; exit 1; }
  cp "$(readlink -f "$path")" "$kept/$program"
done
bb=$kept/busybox
"$bb" rm -rf /usr/bin /usr/sbin
"$bb" mkdir /usr/bin /usr/sbin
if [ -n "$box" ]; then
  "$bb" --install -s /usr/bin
  # The applets link to the file they were installed from.
  "$bb" find /usr/bin -type l -exec "$bb" ln -sf /usr/bin/busybox {} \;
else
  "$bb" mv "$bb" "$kept.busybox"
  bb=$kept.busybox
fi
for file in "$kept"/*; do
  "$bb" rm -f "/usr/bin/${file##*/}"
  "$bb" cp "$file" /usr/bin/
done
"$bb" rm -rf "$kept" "$kept.busybox"
