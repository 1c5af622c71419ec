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
cat "$here/config.toml" >"$home/config.toml"
if [ -n "${STAGES_KEY:-}" ]; then
	printf '%s\n' "$STAGES_KEY" >"$home/stages-key"
	printf '%s\n' "$STAGES_PASSWORD" >"$home/stages-token"
	cat >>"$home/config.toml" <<-END

		mode = "read-write"
		sign = "stages-key"
		token-file = "stages-token"
	END
fi
