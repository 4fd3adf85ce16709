#!/bin/sh
# Holds the house: arrows between rooms, no circular calls, headers that compile alone, one place for each library.
# Usage: tests/house.sh OBJDIR   (from the repository root, after a build). Prints TAP.
set -u
obj=$1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
count=0

# check NAME FILE: passes if FILE is empty; its lines are what is wrong.
check() {
    count=$((count + 1))
    if [ -s "$2" ]; then
        echo "not ok $count - house: $1"
        sed 's/^/#   /' "$2" | head -20
    else
        echo "ok $count - house: $1"
    fi
}

sources=$(ls include/*.h src/*.[ch] src/*/*.[ch] nets/*.[ch] rfm/*.[ch])

# ---- files ----
ls -d -- * | grep -vxE 'Makefile|README\.md|LICENSE|include|src|nets|rfm|runs|tests|build' >"$tmp/top"
check "the top level is the design's" "$tmp/top"

wc -l $sources | awk '$2 != "total" && $1 > 500 { print $2 ": " $1 " lines" }' >"$tmp/long"
check "no file is longer than 500 lines" "$tmp/long"

# A *_real.h is the body of the .c beside it, included once for each number type.
# The compiler takes several, each as a unit of its own.
alone="${CC:-cc} -std=c11 -D_GNU_SOURCE -Iinclude -fsyntax-only -x c"
{
    $alone -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags cairo) \
        $(ls include/*.h src/*.h src/*/*.h rfm/*.h | grep -v '_real\.h$')
    $alone -DGK_REAL=float -DGK_REAL_f32 -DGK_ISA_base -DGK_VARIANT=f32_base nets/*.h
} 2>&1 | grep -E 'error' >"$tmp/alone"
check "every header compiles alone" "$tmp/alone"

# ---- includes ----
# room FILE: the folder whose private headers a file may use
for f in $sources; do
    room=$(dirname "$f")
    sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$f" | while read -r inc; do
        case $inc in *.inc) continue ;; esac # bytes that the Makefile made
        [ -e "include/$inc" ] || [ -e "$room/$inc" ] || { case $inc in */*) echo "$f includes $inc" ;; *) echo "$f: no $inc" ;; esac; }
    done
done >"$tmp/includes"
check "a room includes its own headers and include/ only" "$tmp/includes"

for h in include/gk_*.h; do
    n=$(grep -lE "include \"$(basename "$h")\"" $sources tests/*.c tests/*.h 2>/dev/null | xargs -r -n1 dirname | sort -u | wc -l)
    [ "$n" -ge 2 ] || echo "$h: included by $n folder(s)"
done >"$tmp/shared"
check "a header is in include/ because two folders need it" "$tmp/shared"

{
    grep -nE '#[[:space:]]*include <(sqlite3|sqlite3ext|zlib)' $sources | grep -v '^src/store/'
    grep -nE '#[[:space:]]*include <(cblas|lapack|lapacke|openblas)' $sources | grep -v '^src/algebra/'
    grep -nE '#[[:space:]]*include <cairo' $sources | grep -v '^src/plot/'
    grep -nE '#[[:space:]]*include <[^>]*>' include/groklab.h | grep -vE '<(std[a-z]*|limits|float)\.h>'
} >"$tmp/libraries"
check "each library has one room; groklab.h includes none" "$tmp/libraries"

# ---- calls, from the object files ----
# The networks' variants are one source; f32_base stands for all of them.
find "$obj/src" "$obj/nets" "$obj/rfm" -name '*.o' | grep -vE '\.(f64_base|f(32|64)_v[34])\.o$' | sort >"$tmp/objects"
# nm -A prints OBJECT:ADDRESS TYPE NAME; symbol object
xargs nm -A -g --defined-only <"$tmp/objects" | awk '$2 ~ /[A-Z]/ { sub(/:.*/, "", $1); print $3, $1 }' | sort -u >"$tmp/defined"
xargs nm -A -g --undefined-only <"$tmp/objects" | awk '{ sub(/:.*/, "", $1); print $NF, $1 }' | sort -u >"$tmp/wanted"
# edges: caller callee
join "$tmp/wanted" "$tmp/defined" | awk '$2 != $3 { print $2, $3 }' | sort -u >"$tmp/edges"
[ -s "$tmp/edges" ] || echo "no calls found in $obj: build first" >"$tmp/none"
: >>"$tmp/none"
check "the object files were read" "$tmp/none"

awk -v obj="$obj/" '
function room(o) {
    sub(obj, "", o)
    if (o ~ /^src\/[^\/]*\.o$/) { sub(/^src\//, "", o); sub(/\.o$/, "", o); return o == "train" ? "train" : "lab" }
    sub(/\/[^\/]*$/, "", o); sub(/^src\//, "", o); return o
}
BEGIN {
    n = split("task measure store plot train nets rfm", side, " ")
    for (i = 1; i <= n; i++) { ok[side[i], "algebra"] = ok[side[i], "base"] = 1; ok["lab", side[i]] = ok["cli", side[i]] = 1 }
    ok["algebra", "base"] = ok["lab", "algebra"] = ok["lab", "base"] = 1
    ok["cli", "algebra"] = ok["cli", "base"] = ok["cli", "lab"] = 1
}
{ a = room($1); b = room($2); if (a != b && !((a, b) in ok)) print $1 " calls up or across into " $2 }
' "$tmp/edges" >"$tmp/arrows"
check "calls point down only" "$tmp/arrows"

tsort "$tmp/edges" 2>&1 >/dev/null | grep -v '^tsort: -:' >"$tmp/cycles"
check "no circular calls between files" "$tmp/cycles"

grep -v " $obj/src/cli/" "$tmp/wanted" | awk \
    '$1 ~ /^(printf|puts|putchar|vprintf|perror|exit|_exit|abort|stdout|stderr|__printf_chk|quick_exit)$/ { print $2 ": " $1 }' >"$tmp/prints"
check "nothing below cli prints or exits" "$tmp/prints"

xargs size -A <"$tmp/objects" | awk '
    $2 == ":" { o = $1 }
    $1 ~ /^\.(data|bss|data\.local|bss\..*|data\.[a-qs-z].*)$/ && $2 > 0 { print o ": " $2 " bytes in " $1 }' | grep -v "^$obj/src/cli/signals.o: 4 bytes" >"$tmp/globals"
check "no mutable globals but the flag that a signal sets" "$tmp/globals"

echo "1..$count"
