#!/bin/sh
# `dream-bff` at the operator's prompt: runs the installed program as the service runs it, with the settings
# of /etc/dream-bff/dream-bff.env and as the service's user, so that no file of the database ever belongs
# to root. install.sh writes it to /usr/local/bin/dream-bff and fills in the two lines below.
set -eu

root=@ROOT@
user=@USER@

program=${DREAM_BFF_PROGRAM:-$root/opt/dream-bff/current/bin/dream-bff}
settings=$root/etc/dream-bff

case ${1:-} in
    # These need no settings, and so no rights.
    '' | -h | --help | -V | --version | help | version | openapi) exec "$program" "$@" ;;
esac

if [ ! -r "$settings/dream-bff.env" ]; then
    printf 'dream-bff: %s cannot be read; run this as root: sudo %s %s\n' \
        "$settings/dream-bff.env" "$0" "$*" >&2
    exit 1
fi

# The lines as systemd reads them: NAME=value, maybe in quotes. Nothing is expanded or run. What the
# environment sets already goes first.
while IFS= read -r line || [ -n "$line" ]; do
    name=${line%%=*}
    case $name in
        "$line" | '' | [!A-Z]* | *[!A-Z0-9_]*) continue ;;
    esac
    eval "[ -z \"\${$name+set}\" ]" || continue
    value=${line#*=}
    case $value in
        \"*\") value=${value#\"} value=${value%\"} ;;
        \'*\') value=${value#\'} value=${value%\'} ;;
    esac
    export "$name=$value"
done <"$settings/dream-bff.env"

# Secrets in files (LoadCredential): what no line above has set.
for file in "$settings"/credentials/*; do
    name=${file##*/}
    case $name in
        [!A-Z]* | *[!A-Z0-9_]*) continue ;;
    esac
    eval "[ -z \"\${$name:+set}\" ]" || continue
    export "$name=$(cat "$file")"
done

# Commands read a .env of the working folder too: there is none here, and the service's user may enter it.
cd "$root/var/lib/dream-bff"
if [ "$(id -u)" -eq 0 ] && [ "$user" != root ]; then
    exec runuser -u "$user" -- "$program" "$@"
fi
exec "$program" "$@"
