# shellcheck shell=sh disable=SC2154,SC2034
# Part of install.sh: the settings in /etc/dream-bff/dream-bff.env. What stands there is never lost; what is
# missing and can be made is made.

# The value of a setting in the environment file; nothing when it is not set.
setting() {
    [ -r "$env_file" ] || return 0
    sed -n "s/^$1=//p" "$env_file" | tail -n 1 | sed "s/^\"\\(.*\\)\"\$/\\1/; s/^'\\(.*\\)'\$/\\1/"
}

# Sets NAME to VALUE where its line stands, commented out or not, else at the end.
put_setting() {
    case $1 in '' | [!A-Z]* | *[!A-Z0-9_]*) misuse "a setting is NAME=VALUE, this is: $1" ;; esac
    value=$2
    case $value in
        *"$newline"* | *\'*) fail "the value of $1 has a line break or a single quote" "Write it into $env_file by hand." ;;
        *[!A-Za-z0-9_./:@,+=%-]*) value="'$value'" ;;
    esac
    if [ -n "$dry" ]; then
        note "would: set $1 in $env_file"
        return 0
    fi
    # The value goes through the environment, which other users cannot see, unlike a command line. The
    # file is read twice: the line that is set is replaced, or else the one that is commented out.
    (umask 077 && PUT_NAME=$1 PUT_LINE="$1=$value" awk '
        BEGIN { name = ENVIRON["PUT_NAME"] "="; line = ENVIRON["PUT_LINE"] }
        NR == FNR { if (index($0, name) == 1) is_set = 1; next }
        index($0, (is_set ? "" : "#") name) == 1 { if (!done) print line; done = 1; next }
        { print }
        END { if (!done) print line }' "$env_file" "$env_file" >"$env_file.new")
    own root:root 600 "$env_file.new"
    mv "$env_file.new" "$env_file"
}

# Sets what is not set yet.
default_setting() {
    [ -n "$(setting "$1")" ] || put_setting "$1" "$2"
}

random_secret() { head -c 36 /dev/urandom | base64 | tr -d '\n'; }

# A question on the terminal, when there is one. `secret` hides what is typed.
ask() {
    # name question [secret]
    if [ -n "$yes" ] || [ -n "$dry" ] || [ ! -t 0 ] || [ -n "$(setting "$1")" ]; then
        return 0
    fi
    printf '%s (%s, empty: later): ' "$2" "$1"
    [ -z "${3:-}" ] || stty -echo
    IFS= read -r answer || answer=''
    if [ -n "${3:-}" ]; then
        stty echo
        printf '\n'
    fi
    [ -z "$answer" ] || put_setting "$1" "$answer"
}

write_settings() {
    step "settings: $env_file"
    folder "$etc" "root:$user" 750
    folder "$etc/keys" "root:$user" 750
    folder "$etc/credentials" root:root 700
    if [ ! -e "$env_file" ]; then
        [ -r "$source/.env.example" ] ||
            fail "there is no .env.example in $source" 'Unpack the release again and run its install.sh.'
        if [ -n "$dry" ]; then
            note "would: write $env_file from .env.example, with a generated JWT_SECRET"
            return 0
        fi
        (umask 077 && sed 's/^# The settings of dream-bff\. .*/# The settings of dream-bff. After a change: install.sh --apply/' \
            "$source/.env.example" >"$env_file.new")
        own root:root 600 "$env_file.new"
        mv "$env_file.new" "$env_file"
    fi
    run own root:root 600 "$env_file"
    default_setting DATA_DIR "$data"
    default_setting JWT_SECRET "$(random_secret)"
    if grep -q '^#METRICS_TOKEN=' "$source/.env.example" 2>/dev/null; then
        default_setting METRICS_TOKEN "$(random_secret)"
    fi
    [ -z "$domain" ] || put_setting PUBLIC_URL "https://$domain"
    if [ -n "$acme" ]; then
        put_setting ACME_DOMAINS "$domain"
        put_setting ACME_EMAIL "$acme"
        put_setting ACME_ACCEPT_TERMS true
        default_setting LISTEN 0.0.0.0:443
        default_setting HTTP_LISTEN 0.0.0.0:80
    fi
    printf '%s' "$sets" | while IFS= read -r pair; do
        case $pair in
            *=@*) [ -r "${pair#*=@}" ] || fail "${pair#*=@} cannot be read" 'Correct --set, then repeat this.'
                put_setting "${pair%%=*}" "$(cat "${pair#*=@}")" ;;
            *=*) put_setting "${pair%%=*}" "${pair#*=}" ;;
            *) misuse "--set needs NAME=VALUE, this is: $pair" ;;
        esac
    done
    ask PUBLIC_URL 'Address for the mini-program, such as https://api.example.com'
    ask WECHAT_APPID 'App id of the mini-program'
    ask WECHAT_SECRET 'App secret of the mini-program' secret
    ask IMAGE_API_BASE 'Address of the image API'
    ask IMAGE_API_KEY 'Key of the image API' secret
    if [ -z "$(setting LISTEN)$(setting PORT)$(setting TLS_CERT_PATH)$(setting ACME_DOMAINS)" ]; then
        # Something in front answers https; nobody else gets at us.
        put_setting LISTEN 127.0.0.1:3000
        default_setting TRUSTED_PROXIES 127.0.0.1
    fi
}

# What `serve` cannot start without.
missing_settings() {
    for name in JWT_SECRET WECHAT_APPID WECHAT_SECRET; do
        [ -n "$(setting "$name")" ] || [ -s "$etc/credentials/$name" ] || printf '%s ' "$name"
    done
}

# Where the service listens, as systemd writes it.
listen_address() {
    address=$(setting LISTEN)
    if [ -z "$address" ]; then
        port=$(setting PORT)
        if [ -z "$port" ] && [ -n "$(setting TLS_CERT_PATH)$(setting ACME_DOMAINS)" ]; then
            port=443
        fi
        address=0.0.0.0:${port:-3000}
    fi
    printf '%s' "$address"
}
