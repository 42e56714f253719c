# shellcheck shell=bash
# What the tests of a booted Debian share: a container with a network of its
# own, made once for a file of tests, and traffic that is sent into it.

COLLECTOR=http://127.0.0.1:8787
# shellcheck disable=SC2034 # for the tests
DASHBOARD=http://127.0.0.1:8788
INSIDE_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
# shellcheck disable=SC2034 # for the tests
UNITS=(s2-lite.service rr-collect.service rr-view.service)

# make_plain TARGET...: for a system that has no sanitizers.
make_plain() {
	env -u MAKEFLAGS make -s -C "$ROOT" BUILD="${BUILD%-sanitize}" "$@"
}

# make_system: a Debian in $BATS_FILE_TMPDIR/root, to install into and power on.
make_system() {
	local tree
	cd "$BATS_FILE_TMPDIR" || return
	tree=$("$ROOT/tests/debian-tree")
	mkdir upper work root
	mount -t overlay -o "lowerdir=$tree,upperdir=upper,workdir=work" \
	    overlay root || cp -a "$tree/." root
	install -D "$("$ROOT/scripts/s2-lite" path)" \
	    root/var/cache/rrpipe/s2-lite-0.42.7/bin/server
}

drop_system() {
	cd "$BATS_FILE_TMPDIR" || return
	power_off
	umount root 2>/dev/null || :
}

teardown() {
	stop_all
	if [[ -z ${BATS_TEST_COMPLETED-} && -z ${BATS_TEST_SKIPPED-} ]]; then
		inside journalctl --no-pager -o short-precise -n 40 \
		    -u 'rr*' -u s2-lite >&2 || :
		inside journalctl --no-pager -n 40 _UID=1000 >&2 || :
		! declare -F restore >/dev/null || restore >&2 || :
	fi
}

# power_on: boots the system, in a control group of its own, and waits until it
# is up. bpf is what systemd builds IPAddressDeny= of.
power_on() {
	local group
	cd "$BATS_FILE_TMPDIR" || return
	: >groups
	for group in /sys/fs/cgroup{,/unified,/systemd}; do
		[[ -e $group/cgroup.procs ]] || continue
		group=$group/rrpipe-test.${BATS_RUN_TMPDIR##*[-.]}
		mkdir -p "$group"
		echo "$group" >>groups
	done
	# shellcheck disable=SC2016 # for the other shell
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setsid bash -c '
		while read -r group; do
			echo $$ >"$group/cgroup.procs"
		done <groups
		echo $$ >nspawn
		exec systemd-nspawn --quiet --directory=root --boot \
		    --register=no --keep-unit --private-network \
		    --capability=CAP_BPF,CAP_PERFMON --system-call-filter=bpf
	' </dev/null >>console 2>&1 3>&- &
	wait_until 30 is_up || {
		tail -n 30 console >&2
		return 1
	}
}

power_off() {
	local pid group
	read -r pid <nspawn || return 0
	kill -s TERM "$pid" || :
	wait_until 40 gone "$pid" || kill -s KILL "$pid"
	while read -r group; do
		find "$group" -depth -type d -exec rmdir {} +
	done <groups
}

is_up() {
	local state
	state=$(inside systemctl is-system-running) 2>/dev/null || :
	[[ $state == running ]]
}

# leader: prints the process that is the container's PID 1.
leader() {
	[[ -s $BATS_FILE_TMPDIR/nspawn ]] &&
	    pgrep -P "$(<"$BATS_FILE_TMPDIR/nspawn")"
}

# inside COMMAND...: runs it in the container.
inside() {
	local pid
	pid=$(leader) || return
	nsenter -t "$pid" -a -r -w env -i PATH="$INSIDE_PATH" "$@"
}

# on_net COMMAND...: runs a command of this machine on the container's network.
on_net() {
	local pid
	pid=$(leader) || return
	nsenter -t "$pid" -n "$@"
}

all_active() {
	# (Its status is 0 if one of them is.)
	[[ $(inside systemctl is-active rrpipe.target "${UNITS[@]}" \
	    rr-collect.socket rr-view.socket | sort -u) == active ]]
}

is_ready() {
	[[ $(on_net curl -s -o /dev/null -m 5 -w '%{http_code}' \
	    "$COLLECTOR/health/ready") == 200 ]]
}

none_failed() {
	[ "$(inside systemctl --failed --no-legend | tee /dev/stderr)" = '' ]
}

# stage UNIT COMMAND: prints the process of that name in a unit.
stage() {
	# shellcheck disable=SC2016 # for the other shell
	inside bash -c '
		while read -r pid; do
			[[ $(</proc/$pid/comm) != "$2" ]] || echo "$pid"
		done <"/sys/fs/cgroup$1/cgroup.procs"
	' - "$(inside systemctl show -P ControlGroup "$1")" "$2"
}

# send SIGNAL PID: a small Debian has no kill(1).
send() {
	# shellcheck disable=SC2016 # for the other shell
	inside bash -c 'kill -s "$1" "$2"' - "$@"
}

# restarts UNIT: prints how often systemd has started it again.
restarts() {
	inside systemctl show -P NRestarts "$1"
}

# sender FILE: records a session of batches numbered from 1, each sent until it
# is acknowledged and then written to FILE, until FILE.stop exists. The session
# is in FILE.id, and what was no acknowledgement in FILE.retries.
sender() {
	local base=http://127.0.0.1:8787/v1/sessions file=$1 n=0 url event code
	touch "$file" "$file.retries"
	until code=$(curl -s -m 20 -X POST -o "$file.open" \
	    -w '%{http_code}' "$base?key=dev") && [[ $code == 201 ]]; do
		echo "open: status $code, curl $?:" \
		    "$(cat "$file.open")" >>"$file.retries"
		sleep 0.1
	done
	jq -r .id "$file.open" >"$file.id"
	url=$(jq -r '"\(.id)/lines?token=\(.token)&tab=00000001"' "$file.open")
	until [[ -e $file.stop ]]; do
		((++n))
		event='{"type":3,"timestamp":'$n',"data":{"source":3}}'
		until code=$(curl -s -m 20 -o "$file.answer" \
		    -w '%{http_code}' --data-binary "$event" \
		    "$base/$url&batch=$n") && [[ $code == 200 ]]; do
			echo "batch $n: status $code, curl $?:" \
			    "$(cat "$file.answer")" >>"$file.retries"
			[[ $code != 4* ]] || exit 1
			sleep 0.05
		done
		echo "$event" >>"$file"
	done
}

# begin_traffic: four senders, under way.
begin_traffic() {
	local i
	for i in 1 2 3 4; do
		SENDERS+=("$PWD/sent.$i")
		start nsenter -t "$(leader)" -n bash -c "$(declare -f sender)
		    sender \"\$1\"" - "$PWD/sent.$i"
		sender_pids+=("$pid")
	done
	flows
}
SENDERS=()
sender_pids=()

# flows: waits until each sender has had three more batches acknowledged.
flows() {
	local file n
	for file in "${SENDERS[@]}"; do
		n=$(lines_of "$file")
		wait_until 30 has_more "$file" $((n + 3)) || {
			tail -n 3 "$file.retries" >&2
			return 1
		}
	done
}

lines_of() {
	[[ -e $1 ]] && wc -l <"$1" || echo 0
}

has_more() {
	(($(lines_of "$1") >= $2))
}

# end_traffic: all that was acknowledged is there, once and in order.
end_traffic() {
	local i
	for i in "${!SENDERS[@]}"; do
		touch "${SENDERS[i]}.stop"
	done
	for i in "${!SENDERS[@]}"; do
		ended "${sender_pids[i]}"
		inside rr cat "$(<"${SENDERS[i]}.id")" | cmp - "${SENDERS[i]}"
	done
	echo "# $(cat "${SENDERS[@]}" | wc -l) batches," \
	    "$(cat "${SENDERS[@]/%/.retries}" | wc -l) retries" >&3
}
