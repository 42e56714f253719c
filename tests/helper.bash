# shellcheck shell=bash
# What the tests share: paths, a real s2-lite, processes that end with their
# test, waiting for conditions. Every .bats file begins with `load helper`.
#
# ROOT	the source tree
# BUILD	the programs under test are in $BUILD/bin, which is first in PATH
# DATA	every recording of tests/data, unpacked, as NAME.ndjson; read only
# LITE	the command that is s2-lite
#
# One s2-lite serves the whole run, and the S2 variables point at it. A test
# that stops or restarts S2 starts its own with start_s2.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$ROOT/$BUILD
PATH=$BUILD/bin:$PATH
export DATA=$BATS_SUITE_TMPDIR/data

# Sanitizers end a program that errs with a status no program of ours has.
export ASAN_OPTIONS=exitcode=99:${ASAN_OPTIONS-}
export UBSAN_OPTIONS=print_stacktrace=1:exitcode=99:${UBSAN_OPTIONS-}

# Sanitizers take more memory than a process for the dashboard may.
room_for_sanitizers() {
	[[ $BUILD != *-sanitize ]] || export RR_VIEW_MEMORY=0
}
room_for_sanitizers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	stop_all
}

# fail TEXT...: fails the test. (The last command of a test decides, and each
# before it must succeed, so this is only for what has no command.)
fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# wait_until SECONDS COMMAND...: runs COMMAND until it succeeds.
wait_until() {
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@"; do
		if ((${EPOCHREALTIME/[.,]/} >= end)); then
			fail "gave up waiting for: $*"
			return
		fi
		read -rt 0.02 <> <(:) || :
	done
}

# free_port: prints a port that nothing listens on, outside of the range
# that the kernel hands out by itself.
free_port() {
	local port
	while port=$((10000 + SRANDOM % 22000)); do
		(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

# start COMMAND...: starts it as the leader of a process group that ends with
# the test at the latest, its output in $BATS_TEST_TMPDIR/PID.out and .err.
# Sets pid. A `start` within $(...) would be no child of the test.
start() {
	local out=$BATS_TEST_TMPDIR/started.$((++starts))
	touch "$out.out" "$out.err"
	# A shell has what it starts in the background ignore SIGINT.
	setsid env --default-signal=INT,QUIT "$@" \
	    >"$out.out" 2>"$out.err" </dev/null 3>&- &
	pid=$!
	started+=("$pid")
	ln -f "$out.out" "$BATS_TEST_TMPDIR/$pid.out"
	ln -f "$out.err" "$BATS_TEST_TMPDIR/$pid.err"
}
started=()
starts=0

# stop PID [SIGNAL]: sends SIGNAL (TERM) to a started process, waits for it,
# and returns its status. Not by `run`, whose subshell is not its parent.
stop() {
	kill -s "${2:-TERM}" "$1" 2>/dev/null || :
	ended "$1"
}

# ended PID [SECONDS]: waits for a started process, and returns its status;
# one that goes on for longer (30 s) is killed, and fails the test.
ended() {
	local status=0
	if ! wait_until "${2:-30}" gone "$1"; then
		kill -s KILL -- "-$1"
	fi
	wait "$1" || status=$?
	return "$status"
}

# gone PID: true if it has ended, waited for or not.
gone() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	[[ ${stat##*) } == Z* ]]
}

# stop_all: ends every process group that start began.
stop_all() {
	local pid
	for pid in "${started[@]}"; do
		kill -s TERM -- "-$pid" 2>/dev/null || continue
		wait_until 10 group_gone "$pid" 2>/dev/null ||
			kill -s KILL -- "-$pid"
	done
	started=()
}

group_gone() {
	! pgrep -g "$1" -r D,R,S,T >/dev/null
}

# start_s2 [DIR]: starts an s2-lite of one's own, its data in DIR or in
# memory, waits until it serves, points the S2 variables at it, and sets
# s2_pid and s2_port. With s2_port set before it takes that port (again).
start_s2() {
	s2_port=${s2_port:-$(free_port)}
	SL8_MANIFEST_POLL_INTERVAL=100ms start \
	    "$ROOT/scripts/s2-lite" run --port "$s2_port" ${1:+--root "$1"}
	# shellcheck disable=SC2034 # for the tests
	s2_pid=$pid
	wait_until 20 s2_healthy "$s2_port" || {
		cat "$BATS_TEST_TMPDIR/$pid.out" "$BATS_TEST_TMPDIR/$pid.err" >&2
		return 1
	}
	use_s2 "$s2_port"
}

s2_healthy() {
	[[ $(curl -s "http://127.0.0.1:$1/health") == OK ]]
}

use_s2() {
	export S2_ACCOUNT_ENDPOINT=http://127.0.0.1:$1
	export S2_BASIN_ENDPOINT=http://127.0.0.1:$1
	export S2_ACCESS_TOKEN=ignored
}

# new_basin: makes a basin of the test's own, and exports RR_BASIN.
new_basin() {
	export RR_BASIN=t-$$-$SRANDOM
	curl -sS --fail-with-body -o /dev/null \
	    -H 'Content-Type: application/json' \
	    -d "{\"basin\":\"$RR_BASIN\"}" "$S2_ACCOUNT_ENDPOINT/v1/basins"
}

# page_examples PAGE: prints the commands of its EXAMPLES, as a script.
page_examples() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$1" | sed -n '
		s/^\.Dl //p
		/^\.Bd/,/^\.Ed/{ /^\./!p; }' | sed 's/\\(dq/"/g'
}
