# shellcheck shell=sh disable=SC2154,SC2034
# Part of install.sh: where the release comes from, and that it is what it claims to be.

# Leaves in `source` the folder of the release: the one of this script, or what --url gives.
obtain() {
    if [ -n "$url" ]; then
        download
    elif [ -x "$here/dream-bff" ]; then
        source=$here
    else
        fail "there is no program beside $here/install.sh" \
            'Unpack a release and run the install.sh in it, or use --url.'
    fi
    if [ -e "$source/SHA256SUMS" ]; then
        step 'checksums of the release'
        # Where it lies it may have got other files, and settings may have been tried in .env.example.
        bad=$(cd "$source" && grep -E ' (dream-bff|install\.sh|installer/.*|systemd/.*)$' SHA256SUMS |
            sha256sum -c --quiet - 2>&1) ||
            fail "the release is damaged or was changed: $bad" 'Get it again.'
    fi
}

fetch() {
    # address file
    if command -v curl >/dev/null; then
        curl -fsSL --proto-redir '=https' --retry 3 --connect-timeout 20 --max-time 900 -o "$2" "$1"
    elif command -v wget >/dev/null; then
        wget -q --tries=3 --timeout=60 -O "$2" "$1"
    else
        fail 'there is neither curl nor wget' 'Copy the release to this machine, unpack it, and run its install.sh.'
    fi
}

download() {
    case $url in
        https://* | http://127.0.0.1[:/]* | http://localhost[:/]*) ;;
        *) fail "$url is not https" 'A checksum from the same unprotected place would prove nothing.' ;;
    esac
    step "download: $url"
    scratch=$(mktemp -d)
    if [ -z "$sha256" ]; then
        fetch "$url.sha256" "$scratch/sum" ||
            fail "$url.sha256 cannot be had" 'Give the checksum by --sha256, or try again.'
        sha256=$(sed -n '1s/^\([0-9a-fA-F]\{64\}\).*/\1/p' "$scratch/sum")
    fi
    [ "$(printf '%s' "$sha256" | tr -d '0-9a-fA-F' | wc -c)$(printf '%s' "$sha256" | wc -c)" = 064 ] ||
        fail 'that is no SHA-256 checksum' 'It is 64 hexadecimal digits.'
    fetch "$url" "$scratch/release.tar.gz" || fail "$url cannot be had" 'Check the address and the network, then repeat this.'
    found=$(sha256sum "$scratch/release.tar.gz" | cut -d ' ' -f 1)
    [ "$found" = "$(printf '%s' "$sha256" | tr 'A-F' 'a-f')" ] ||
        fail "the download has the checksum $found, and not $sha256" 'It is damaged, or not what was published: do not use it.'
    (umask 022 && tar -xzf "$scratch/release.tar.gz" -C "$scratch" --no-same-owner)
    source=''
    for folder in "$scratch"/*/; do
        [ ! -x "$folder/dream-bff" ] || source=${folder%/}
    done
    [ -n "$source" ] || fail "there is no dream-bff in $url" 'Is it the tarball of a release?'
}
