#!/bin/sh
# check-config.sh WANTED GOT [TREE]: did the kernel's configuration take every wanted symbol over?
#
# WANTED is the merged kernel.config: each symbol is preceded by a line "# from FRAGMENT:LINE".
# GOT is the final .config; a symbol that is not in it is "n".  One line goes to standard error
# for each symbol that differs; with TREE, the symbol's own "depends on" lines follow, since
# a missing dependency is the usual reason.  Exit status 1 if anything differs.
set -eu

wanted=$1
got=$2
tree=${3:-}

# Prints "symbol wanted got origin" with tabs, one line per difference.
compare() {
    awk '
    function value_of(line) { sub(/^[^=]*=/, "", line); return line }
    /^# CONFIG_[A-Za-z0-9_]+ is not set$/ { symbol = $2; value = "n" }
    /^CONFIG_[A-Za-z0-9_]+=/ { symbol = $0; sub(/=.*/, "", symbol); value = value_of($0) }
    FILENAME == ARGV[1] && symbol != "" { final[symbol] = value }
    FILENAME == ARGV[2] && /^# from / { origin = substr($0, 8) }
    FILENAME == ARGV[2] && symbol != "" {
        is = (symbol in final) ? final[symbol] : "n"
        if (is != value) printf "%s\t%s\t%s\t%s\n", symbol, value, is, origin
        checked++
    }
    { symbol = "" }
    END { if (!checked) print "none\t-\t-\t" ARGV[2] }
    ' "$got" "$wanted"
}

# Prints the "depends on" expressions of a symbol (name without CONFIG_), joined.
dependencies() {
    find "$tree" -name 'Kconfig*' -type f -exec awk -v symbol="$1" '
    /^[ \t]*(menu)?config[ \t]/ { inside = ($2 == symbol); if (inside) print "(" FILENAME ")"; next }
    /^[^ \t#]/ { inside = 0 }
    inside && /^[ \t]+depends on / { sub(/^[ \t]+depends on /, ""); print }
    ' {} + | sed "s|^($tree/*|(|" | paste -s -d ' ' -
}

explain() {
    found=$(dependencies "${1#CONFIG_}")
    echo "config:   ${found:-no Kconfig file of this kernel has it}" >&2
    # Of the symbols named there, those that are off.
    for needed in $(printf '%s\n' "$found" | sed 's/([^ )]*Kconfig[^ )]*)//g; s/![A-Z0-9_]*//g' |
        tr -c 'A-Za-z0-9_\n' '\n' | grep -E '^[A-Z0-9][A-Z0-9_]+$' | sort -u); do
        grep -q "^CONFIG_$needed=" "$got" || echo "config:   CONFIG_$needed is off" >&2
    done
}

tab=$(printf '\t')
differences=$(compare)
[ -n "$differences" ] || exit 0
printf '%s\n' "$differences" | while IFS=$tab read -r symbol want is origin; do
    if [ "$symbol" = none ]; then
        echo "config: $origin asks for nothing" >&2
        continue
    fi
    echo "config: $symbol wanted=$want got=$is ($origin)" >&2
    [ -z "$tree" ] || explain "$symbol"
done
exit 1
