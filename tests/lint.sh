#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What a compiler does not check: one line a check, what is wrong below it,
# and at the end "N passed, N failed".
#
#	tests/lint.sh [-q]	-q leaves out what takes minutes

set -u
shopt -s nullglob
cd "$(dirname "$0")/.." || exit 1

sources=(common/*.c server/*.c client/*.c ctl/*.c)
headers=(common/*.h server/*.h client/*.h ctl/*.h)
tests=(tests/*/*.[ch] bench/*.c)
scripts=(tests/*.sh tests/integration/*.sh tools/deps tools/demo tools/dist
	tools/pre-commit .ci/run
	etc/ltserver.init etc/examples/certbot-deploy-hook debian/tests/tunnel)
code=("${sources[@]}" "${headers[@]}" "${tests[@]}")
read -ra flags < <(make -s HARDEN=no flags | tr -d "'")
passed=0
failed=0

# check WHAT FUNCTION: it fails if the function prints something or fails.
check() {
	local out
	if out=$("$2" 2>&1) && [ -z "$out" ]; then
		echo "ok   $1"
		passed=$((passed + 1))
	else
		echo "FAIL $1"
		while read -r; do echo "     | $REPLY"; done <<<"$out"
		failed=$((failed + 1))
	fi
}

headers_alone() {
	local h
	for h in "${headers[@]}"; do
		"${CC:-cc}" "${flags[@]}" -Wall -Wextra -Werror -fsyntax-only \
		    -x c - <<<"#include \"$h\"" || echo "$h"
	done
}

guards() {
	local h guard
	for h in "${headers[@]}"; do
		guard=$(tr 'a-z/.' 'A-Z__' <<<"LT_$h")
		grep -qx "#ifndef $guard" "$h" && grep -qx "#define $guard" "$h" ||
		    echo "$h: the guard is not $guard"
	done
}

# A source that no library has would not be compiled, and nobody would know.
listed() {
	diff <(make -s sources | tr ' ' '\n' | sort) \
	    <(printf '%s\n' "${sources[@]}" | sort)
}

licence() {
	local f
	for f in "${code[@]}"; do
		head -n 1 "$f" | grep -qx '/\* SPDX-License-Identifier: ISC\( \*/\)\?' ||
		    echo "$f: the first line is not the licence"
	done
	for f in "${scripts[@]}"; do
		head -n 2 "$f" | grep -q 'SPDX-License-Identifier: ISC' ||
		    echo "$f: the second line is not the licence"
	done
}

includes() {
	local c own
	grep -rnE '#include "(server|client|ctl)/' common tests/common
	grep -rnE '#include "(client|ctl)/' server tests/server
	grep -rnE '#include "(server|ctl)/' client tests/client
	grep -rnE '#include "(server|client)/' ctl
	grep -nE '#include "[^/"]+"' "${sources[@]}" "${headers[@]}"
	for c in "${sources[@]}"; do
		own=${c%.c}.h
		[ ! -e "$own" ] ||
		    grep -m 1 '^#include' "$c" | grep -qF "\"$own\"" ||
		    echo "$c: does not include $own first"
	done
	true
}

external_variables() {
	grep -nE '^extern ' "${sources[@]}" "${headers[@]}" |
	    grep -vE '[(]|extern const ' && return 1
	true
}

left_undone() {
	git grep -nIE '\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b' && return 1
	true
}

sizes() {
	awk 'FNR == 1 { name = ""; start = 0 }
	FNR == 601 { print FILENAME ": more than 600 lines" }
	/^[a-z_]+\(/ { name = $0; sub(/\(.*/, "", name) }
	/^\{/ { start = FNR }
	/^\}/ { if (start && FNR - start > 61)
		print FILENAME ": " name ": " FNR - start - 1 " lines"
		start = 0 }
	' "${sources[@]}"
}

format() {
	local f
	for f in "${code[@]}"; do
		clang-format "$f" | cmp -s - "$f" || echo "$f: clang-format -i"
	done
}

manuals() {
	mandoc -Tlint -W warning man/*
}

shells() {
	shellcheck "${scripts[@]}"
}

# It reads no system headers, so what declares lists is given by name.
cppcheck_all() {
	cppcheck -q -j 2 --enable=warning,performance,portability \
	    --std=c11 --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem \
	    --suppress=arrayIndexOutOfBoundsCond \
	    -D'_Noreturn=__attribute__((noreturn))' -I. -DLT_VERSION='"0"' \
	    --include="/usr/include/$(cc -dumpmachine)/sys/queue.h" \
	    "${sources[@]}"
}

# One file per process: with several, version 14 reports faults of va_list
# that are not there.
tidy() {
	printf '%s\n' "${sources[@]}" | xargs -P 2 -I{} \
	    clang-tidy --quiet {} -- "${flags[@]}" 2>&1 |
	    grep -v 'warnings\? generated\.$'
	[ "${PIPESTATUS[1]}" = 0 ]
}

check 'each header compiles alone' headers_alone
check 'guards have the name of their file' guards
check 'the Makefile lists each source' listed
check 'the licence stands first' licence
check 'includes' includes
check 'no variables are shared but constants' external_variables
check 'nothing is left undone' left_undone
check 'sizes of files and functions' sizes
check 'clang-format' format
check 'mandoc' manuals
check 'shellcheck' shells
if [ "${1-}" != -q ]; then
	check 'cppcheck' cppcheck_all
	check 'clang-tidy' tidy
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
