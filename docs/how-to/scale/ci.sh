#!/bin/sh
# Lets a job of CI take finished stages from the store, and push its own; docs/how-to/scale.md.
#
# STAGES_KEY (the private key) and STAGES_PASSWORD (USER:PASSWORD) are secrets that the forge gives
# to protected branches only.  A job without them reads.
set -eu
umask 077
here=$(dirname "$0")
home=${XDG_CONFIG_HOME:-$HOME/.config}/lvs-fullnat-builder
mkdir -p "$home"
if [ -n "${STAGES_KEY:-}" ]; then
	printf '%s\n' "$STAGES_KEY" >"$home/stages-key"
	printf '%s\n' "$STAGES_PASSWORD" >"$home/stages-token"
	sed -e '/^\[stages]$/a mode = "read-write"\nsign = "stages-key"\ntoken-file = "stages-token"' \
		-e '/^\[compiler-cache]$/a mode = "read-write"\ntoken-file = "stages-token"' \
		"$here/config.toml" >"$home/config.toml"
else
	rm -f "$home/stages-key" "$home/stages-token"
	cat "$here/config.toml" >"$home/config.toml"
fi
