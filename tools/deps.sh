#!/bin/sh
# Installs what the tests need and this machine lacks. On Debian and its relatives it uses apt-get; elsewhere it says
# what is missing. Without anything missing it changes nothing and needs no rights.
set -eu

packages=
missing() { # what, why, Debian's package
	echo "make deps: missing: $1 ($2)"
	packages="$packages $3"
}

have_postgres() {
	command -v postgres >/dev/null 2>&1 && return 0
	for postgres in /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /usr/local/pgsql/bin/postgres \
		/opt/homebrew/opt/postgresql@*/bin/postgres /usr/local/opt/postgresql@*/bin/postgres; do
		[ -x "$postgres" ] && return 0
	done
	return 1
}

have_any() {
	for program in "$@"; do
		command -v "$program" >/dev/null 2>&1 && return 0
	done
	return 1
}

have_c_compiler() {
	have_any "${CC:-cc}" gcc clang || return 1
	echo '#include <stdlib.h>' | "${CC:-$(command -v gcc || command -v cc || command -v clang)}" -E - >/dev/null 2>&1
}

have_c_compiler || missing "a C compiler" "the race detector links with it" "gcc libc6-dev"
have_postgres || missing "PostgreSQL 15 or later" "the store's tests run on both engines" postgresql
have_any nginx /usr/sbin/nginx /usr/local/sbin/nginx ||
	missing "nginx" "the gateway tests put a real one before a real API" nginx
have_any python3 || missing "Python 3" "the Splunk add-on is a Python program, and its tests run it" python3
have_any chromium chromium-browser google-chrome google-chrome-stable ||
	missing "Chromium" "a real browser drives the console through every page" "chromium fonts-dejavu-core"

[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "make deps: please install the above with this system's package manager, then try again" >&2
	exit 1
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "make deps: please run as root: apt-get install --no-install-recommends$packages" >&2
		exit 1
	fi
	sudo=sudo
fi

echo "make deps: installing with apt-get:$packages"
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
echo "make deps: done. The tests start servers of their own on 127.0.0.1; if Debian has started PostgreSQL or nginx as a" \
	"service too, nothing here needs that one"
