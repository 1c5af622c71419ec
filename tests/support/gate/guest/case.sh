#!/bin/sh
# Runs the case that it is given, after what cases share.
NAME=$(basename "$1" .sh)
export NAME
# shellcheck source=/dev/null
. /gate/lib.sh
# shellcheck source=/dev/null
. "$1"
