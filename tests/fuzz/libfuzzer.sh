#!/bin/sh
# usage: libfuzzer.sh PROGRAM SECONDS FOUND CORPUS: new inputs and what broke go into FOUND, the CORPUS is only read.
set -eu
mkdir -p "$3"
exec "$1" -max_total_time="${DOSVC_FUZZ_SECONDS:-$2}" -timeout=30 -rss_limit_mb=4096 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$3/broke-" "$3" "$4"
