#!/usr/bin/env bash
# The whole test run, one make target after the other, with the time that each took. The first that fails ends it.
set -euo pipefail

times=
for target in "$@"; do
	echo "== make $target"
	start=$SECONDS
	if ! "${MAKE:-make}" --no-print-directory "$target"; then
		printf '%s== make %s: FAILED after %d s. Nothing after it has run.\n' "$times" "$target" $((SECONDS - start)) >&2
		exit 1
	fi
	times+=$(printf '%6d s  %s' $((SECONDS - start)) "$target")$'\n'
done
printf '== passed:\n%s%6d s  in all\n' "$times" "$SECONDS"
