#!/bin/bash
# Builds OUT/ngx_http_abdm_module.so for the installed nginx, out of the tree of nginx-dev.
#
#     [CC=clang] [CFLAGS="-fsanitize=address"] .ci/build-module.sh OUT
#
# OUT holds libabdm.so already (make lib). NGX_SRC names another prepared source tree of nginx
# than nginx-dev's. Configures only when something it depends on has changed.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:?usage: build-module.sh OUT}"
out=$(cd "$1" && pwd)
src=${NGX_SRC:-/usr/share/nginx/src}
objs=$out/nginx-objs
cc=${CC:-gcc}
flags=${CFLAGS:--O2 -g}

if [ ! -x "$src/configure" ]; then
    echo "$0: no nginx sources in $src: install nginx-dev, or name a tree in NGX_SRC" >&2
    exit 1
fi

# What configure reads; the Makefile that it writes watches the sources itself.
stamp=$(
    echo "$src $cc $flags"
    "$cc" --version | head -n 1
    cat "$src/src/core/nginx.h" "$src/conf_flags" "$root/config"
    sed -n 's/^VERSION *:= *//p' "$root/Makefile"
    find "$root/lib/core" "$root/lib" -maxdepth 1 -name '*.h' | sort
)

if [ ! -f "$objs/Makefile" ] || [ "$stamp" != "$(cat "$objs/stamp" 2>/dev/null)" ]; then
    rm -rf "$objs"
    mkdir -p "$objs"
    NGX_CONF_FLAGS=()
    # shellcheck disable=SC1091
    . "$src/conf_flags"
    if [ "$out" != "$root/build" ]; then
        export ABDM_LIB=$out
    fi
    if ! (cd "$src" && ./configure "${NGX_CONF_FLAGS[@]}" --builddir="$objs" --with-cc="$cc" \
        --with-cc-opt="$flags -fPIC" --with-ld-opt="-fPIC ${LDFLAGS:-}" \
        --add-dynamic-module="$root") >"$objs/configure.log" 2>&1; then
        tail -n 20 "$objs/configure.log" >&2
        exit 1
    fi
    echo "$stamp" >"$objs/stamp"
fi

make -s -C "$src" -f "$objs/Makefile" modules

if ! cmp -s "$objs/ngx_http_abdm_module.so" "$out/ngx_http_abdm_module.so"; then
    # a new inode: a running nginx keeps the old one mapped
    install -m 755 "$objs/ngx_http_abdm_module.so" "$out/.ngx_http_abdm_module.so"
    mv "$out/.ngx_http_abdm_module.so" "$out/ngx_http_abdm_module.so"
fi
