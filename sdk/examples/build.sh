#!/bin/sh
# sdk/examples/build.sh [32|64 [GCC OPTION ...]]: builds the examples in build/sdk/examples/WIDTH/,
# with the SDK in build/sdk (tools/sdk.py). -static makes programs for a system without libraries.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
sdk=$root/build/sdk width=${1:-64}
[ $# -eq 0 ] || shift
case $width in 32 | 64) ;; *) echo "build.sh: the width is 32 or 64, not $width" >&2; exit 2 ;; esac
out=$sdk/examples/$width
mkdir -p "$out"
made=$(mktemp -d "$out/made.XXXXXX") # complete before it has its name: builds may run side by side
trap 'rm -rf "$made"' EXIT
for name in counter signing-key password; do
    from=$root/sdk/examples/$name
    "$sdk/bin/nacre-pal-cc" "-m$width" -Wextra -Werror -o "$made/$name.pal.o" "$from/$name.pal.c"
    gcc "-m$width" -O2 -g -Wall -Wextra -Werror -no-pie "-I$sdk/include" "$@" "$from/main.c" \
        "$made/$name.pal.o" "$sdk/lib$width/libnacre.a" "-Wl,-T,$sdk/pal.lds" -o "$made/$name"
    mv "$made/$name.pal.o" "$made/$name" "$out"
done
