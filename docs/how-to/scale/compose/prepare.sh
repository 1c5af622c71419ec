#!/bin/sh
# Prepares the folder it is called in for compose.yaml: data/, and the password of user ci in secrets/.
# The server's certificate and its key must be in secrets/tls.pem and secrets/tls.key before.
set -eu
umask 077

for name in tls.pem tls.key; do
	if [ ! -s "secrets/$name" ]; then
		echo "secrets/$name is missing: put the server's certificate and key there first" >&2
		exit 1
	fi
done

ask() {
	if [ -t 0 ]; then
		printf '%s: ' "$1" >&2
	fi
	read -r password || [ -n "$password" ] || {
		echo "no password was given on standard input" >&2
		exit 1
	}
	if [ -t 0 ]; then
		echo >&2
	fi
}

if [ -t 0 ]; then
	trap 'stty echo' EXIT
	trap 'exit 130' INT TERM
	stty -echo
	ask "Password of user ci, who may write"
	first=$password
	ask "Again"
	if [ "$password" != "$first" ]; then
		echo "the two passwords differ" >&2
		exit 1
	fi
else
	ask ""
fi
if [ -z "$password" ]; then
	echo "an empty password would let everybody write" >&2
	exit 1
fi
mkdir -p data/stages/store data/stages/incoming data/objects
sha512=$(printf '%s\n' "$password" | openssl passwd -6 -stdin)
sha256=$(printf '%s' "$password" | sha256sum | cut -c 1-64)
printf 'ci:%s\n' "$sha512" >secrets/stages.htpasswd
cat >secrets/users.acl <<-END
	user ci on #$sha256 ~ccache:* +get +set +select
	user default on nopass ~ccache:* +get +select
END
# For the user of compose.yaml alone.
chmod -R go= data secrets
chown -R 65500:65500 data secrets
