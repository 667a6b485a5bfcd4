#!/bin/sh
# Installs the Debian packages that a purpose needs, those that are missing and no more:
#
#     .ci/deps.sh build [demo] [certify] [test] [bench] [load] [coverage] [valgrind] [ci]
#
# This is the one list of what the project needs. Only root can install; others are told what is missing.
set -eu

build='gcc libc6-dev make pkg-config nginx nginx-dev
    libcurl4-openssl-dev libjansson-dev libssl-dev libsqlite3-dev libjq-dev libicu-dev
    libqrencode-dev libpng-dev'
demo='openssl curl perl libmojolicious-perl libcryptx-perl libcpanel-json-xs-perl
    libjson-validator-perl libio-socket-ssl-perl libev-perl'
certify='zbar-tools'
test='libcmocka-dev zbar-tools librsvg2-bin sqlite3'
bench='wrk sqlite3'
load='sqlite3'
coverage='gcovr'
valgrind='valgrind'
ci='git clang clang-tidy clang-format libclang-rt-14-dev binutils libperl-critic-perl shellcheck'

missing=
for purpose in "$@"; do
    case $purpose in
        build) packages=$build ;;
        demo) packages=$demo ;;
        certify) packages=$certify ;;
        test) packages=$test ;;
        bench) packages=$bench ;;
        load) packages=$load ;;
        coverage) packages=$coverage ;;
        valgrind) packages=$valgrind ;;
        ci) packages=$ci ;;
        *) echo "usage: $0 build [demo] [certify] [test] [bench] [load] [coverage] [valgrind] [ci]" >&2; exit 2 ;;
    esac
    for package in $packages; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "these packages are missing, and only root can install them:$missing" >&2
    exit 1
fi

echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
wait='-o DPkg::Lock::Timeout=300'
# shellcheck disable=SC2086
if ! { apt-get $wait update && apt-get $wait install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
