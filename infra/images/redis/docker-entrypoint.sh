#!/bin/bash
# Starts Redis as the official image does: as user redis, whatever the arguments look like.
set -Eeuo pipefail

if [[ ${1:-} == -* || ${1:-} == *.conf ]]; then
    set -- redis-server "$@"
fi
if [[ ${1:-} != redis-server ]]; then
    exec "$@"
fi
if ((EUID == 0)); then
    find . ! -user redis -exec chown --no-dereference redis: {} +
    exec setpriv --reuid=redis --regid=redis --init-groups "${BASH_SOURCE[0]}" "$@"
fi
# Append-only files hold the data; nobody else on the host needs to read them.
umask 077
# Protected mode answers only to the container itself, where no client is. Whoever sets it is obeyed.
if [[ " $* " != *" --protected-mode "* ]] && ! { [[ -f ${2:-} ]] && grep -qi '^protected-mode' "$2"; }; then
    set -- "$@" --protected-mode no
fi
exec "$@"
