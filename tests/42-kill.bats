# Any process may be killed at any instant: what was acknowledged can be read,
# once and in order.
#
# RR_KILL_SEED=N repeats a run's choices, RR_KILL_ROUNDS=N changes how many.

load helper

setup_file() {
	cc -O2 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/load" \
	    "$BATS_TEST_DIRNAME/load.c"
}

start_ring() {
	start rr-ingest -l "127.0.0.1:$port" -S secret
	ring=$pid
}

is_ready() {
	[[ $(curl -s -m 5 "http://127.0.0.1:$port/health/ready") == *true* ]]
}

# revive: start what is dead.
revive() {
	if gone "$s2_pid"; then
		start_s2_again
	fi
	if gone "$ring"; then
		wait "$ring" || :
		start_ring
	fi
}

# As start_s2, but without waiting until it serves.
start_s2_again() {
	SL8_MANIFEST_POLL_INTERVAL=100ms start \
	    "$ROOT/scripts/s2-lite" run --port "$s2_port" --root s2
	s2_pid=$pid
}

# kill_one: some process of the ring, or S2; often while it starts.
kill_one() {
	case $((RANDOM % 10)) in
	0) kill -KILL -- "-$s2_pid" ;;
	1 | 2 | 3) pkill -KILL -g "$ring" -x rr-collect ;;
	4 | 5 | 6) pkill -KILL -g "$ring" -x rr-frame ;;
	*) pkill -KILL -g "$ring" -x s2-append ;;
	esac
}

@test "kill: 200 rounds" {
	local seed=${RR_KILL_SEED:-$SRANDOM} round
	echo "# RR_KILL_SEED=$seed" >&3
	RANDOM=$((seed % 32768))
	start_s2 s2
	new_basin
	port=$(free_port)
	start_ring
	wait_until 20 is_ready
	start "$BATS_FILE_TMPDIR/load" -r -c 12 -s 3 -n 1000000 -S "$seed" \
	    -o acked "http://127.0.0.1:$port"
	local sender=$pid
	for ((round = 0; round < ${RR_KILL_ROUNDS:-200}; round++)); do
		read -rt "0.$((RANDOM % 3))$((RANDOM % 10))" <> <(:) || :
		kill_one || :
		read -rt "0.0$((RANDOM % 10))" <> <(:) || :
		revive
		! gone "$sender" || {
			cat "$sender.err" >&2
			fail "the sender gave up in round $round"
		}
	done
	# All that was begun is stored in the end.
	kill -TERM "$sender"
	healed() {
		revive
		gone "$sender"
	}
	wait_until 60 healed
	ended "$sender"
	echo "# $(<"$sender.out")" >&3
	# Some of it was acknowledged, in spite of all.
	(($(awk '{ n += $3 } END { print n }' acked) > 100))
	local id tabs
	while read -r id tabs; do
		# shellcheck disable=SC2086 # one word a tab
		s2-tail "$(s2-stream name "$id")" | rr-reassemble -d |
		    "$BATS_FILE_TMPDIR/load" -V "$id" $tabs
	done < <(awk '{ t[$1] = t[$1] " " $2 "=" $3 }
	    END { for (id in t) print id t[id] }' acked)
}
