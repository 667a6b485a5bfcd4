#!/bin/sh
# Prints "NAME torture_NAME" for each call of calls.def, as the compiler's macros have renamed it.
set -eu
cd "$(dirname "$0")"
{
    printf '#include <unicode/utrans.h>\n#include <jansson.h>\n'
    printf '#define CALL(type, name, ...) @ name torture_##name\n'
    printf '#define CALL_VOID(name, ...) @ name torture_##name\n'
    printf '#define CALL_SET(type, name, ...) @ name torture_##name\n'
    printf '#define CALL_OPEN(name, ...) @ name torture_##name\n'
    printf '#define PASS(type, name, ...) @ name torture_##name\n'
    printf '#define PASS_PACK(name) @ name torture_##name\n'
    printf '#include "calls.def"\n'
    printf '@ ferror torture_ferror\n'
} | "${CC:-gcc}" -E -P -I. -x c - | tr '@' '\n' | sed -n 's/^ \([A-Za-z0-9_]* torture_[A-Za-z0-9_]*\) *$/\1/p'
