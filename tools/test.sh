#!/usr/bin/env bash
# The whole test run, one make target after the other, with the time that each took. The first that fails ends it. Targets in one
# word run at once, as where each leaves processors idle; what they print comes when they end.
set -euo pipefail

times=
for target in "$@"; do
	echo "== make $target"
	start=$SECONDS
	read -ra words <<<"$target"
	if ((${#words[@]} > 1)); then
		words+=(-j "${#words[@]}" --output-sync=target)
	fi
	if ! "${MAKE:-make}" --no-print-directory "${words[@]}"; then
		printf '%s== make %s: FAILED after %d s. Nothing after it has run.\n' "$times" "$target" $((SECONDS - start)) >&2
		exit 1
	fi
	times+=$(printf '%6d s  %s' $((SECONDS - start)) "$target")$'\n'
done
printf '== passed:\n%s%6d s  in all\n' "$times" "$SECONDS"
