# A Debian system, booted in a container with a network of its own: our units
# as `make install` leaves them, under traffic, killed, restarted, rebooted.
#
# One system serves all tests of this file, which build on each other: it is
# started by the first and halted by the last.

load helper

setup_file() {
	local tree
	cd "$BATS_FILE_TMPDIR" || return
	tree=$("$ROOT/tests/debian-tree")
	mkdir upper work root
	mount -t overlay -o "lowerdir=$tree,upperdir=upper,workdir=work" \
	    overlay root || cp -a "$tree/." root
	make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$PWD/root" install
	systemd-sysusers --root="$PWD/root" rrpipe.conf
	systemd-tmpfiles --root="$PWD/root" --create rrpipe.conf
	install -D "$("$ROOT/scripts/s2-lite" path)" \
	    root/var/cache/rrpipe/s2-lite-0.42.7/bin/server
	power_on
	# For the wall around s2-lite: an address that is not loopback.
	on_net ip address add 192.0.2.1/32 dev lo
}

teardown_file() {
	cd "$BATS_FILE_TMPDIR" || return
	power_off
	umount root 2>/dev/null || :
}

teardown() {
	stop_all
	if [[ -z ${BATS_TEST_COMPLETED-} && -z ${BATS_TEST_SKIPPED-} ]]; then
		inside journalctl --no-pager -o short-precise -n 40 \
		    -u 'rr*' -u s2-lite >&2 || :
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
	pgrep -P "$(<"$BATS_FILE_TMPDIR/nspawn")"
}

# inside COMMAND...: runs it in the container.
inside() {
	local pid
	pid=$(leader) || return
	nsenter -t "$pid" -a env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"
}

# on_net COMMAND...: runs a command of this machine on the container's network.
on_net() {
	local pid
	pid=$(leader) || return
	nsenter -t "$pid" -n "$@"
}

collector=http://127.0.0.1:8787
dashboard=http://127.0.0.1:8788
units=(s2-lite.service rr-collect.service rr-view.service)

all_active() {
	inside systemctl --quiet is-active rrpipe.target "${units[@]}" \
	    rr-collect.socket rr-view.socket
}

is_ready() {
	[[ $(on_net curl -s -o /dev/null -m 5 -w '%{http_code}' \
	    "$collector/health/ready") == 200 ]]
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
		done <"/sys/fs/cgroup/system.slice/$1/cgroup.procs"
	' - "$@"
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
	until curl -sf -m 20 -X POST -o "$file.open" "$base?key=dev"; do
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
		senders+=("$PWD/sent.$i")
		start nsenter -t "$(leader)" -n bash -c "$(declare -f sender)
		    sender \"\$1\"" - "$PWD/sent.$i"
		sender_pids+=("$pid")
	done
	flows
}
senders=()
sender_pids=()

# flows: waits until each sender has had three more batches acknowledged.
flows() {
	local file n
	for file in "${senders[@]}"; do
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
	for i in "${!senders[@]}"; do
		touch "${senders[i]}.stop"
	done
	for i in "${!senders[@]}"; do
		ended "${sender_pids[i]}"
		inside rr cat "$(<"${senders[i]}.id")" | cmp - "${senders[i]}"
	done
	echo "# $(cat "${senders[@]}" | wc -l) batches," \
	    "$(cat "${senders[@]/%/.retries}" | wc -l) retries" >&3
}

@test "units: systemd-analyze has nothing to say, and little to fear" {
	local unit
	inside systemd-analyze verify --man=no rrpipe.target \
	    rr-collect.socket rr-view.socket rr-secret.service "${units[@]}" \
	    2>&1 | tee /dev/stderr | cmp - /dev/null
	for unit in rr-secret.service "${units[@]}"; do
		inside systemd-analyze security --offline=true \
		    --threshold=20 --no-pager "$unit" | tail -n 1
	done
}

@test "systemctl start rrpipe.target: each runs as a user of its own" {
	inside systemctl start rrpipe.target
	wait_until 20 all_active
	wait_until 10 is_ready
	none_failed
	local pair
	for pair in s2-lite.service:s2-lite rr-collect.service:rr-collect \
	    rr-view.service:rr-view; do
		# shellcheck disable=SC2016 # for the other shell
		inside bash -c 'while read -r pid; do
			[[ $(stat -c %U /proc/$pid) == "$2" ]] || exit
		done <"/sys/fs/cgroup/system.slice/$1/cgroup.procs"' - \
		    "${pair%:*}" "${pair#*:}"
	done
}

@test "a session through the sockets comes back byte-equal" {
	local open id file=$DATA/real-stats-test-page.ndjson
	open=$(on_net curl -sSf -X POST -d '{"title":"by curl"}' \
	    "$collector/v1/sessions?key=dev")
	id=$(jq -r .id <<<"$open")
	on_net curl -sSf -o /dev/null --data-binary "@$file" \
	    "$collector/v1/sessions/$id/lines?token=$(jq -r .token <<<"$open")"
	inside rr cat "$id" | cmp - "$file"
	on_net curl -sSf "$dashboard/api/sessions/$id/lines?from=start" |
	    grep '^{' | cmp - "$file"
	on_net curl -sSf "$dashboard/api/sessions" |
	    jq -e --arg id "$id" '.sessions[] | select(.id == $id).title == "by curl"'
	on_net curl -sSf -o /dev/null "$collector/rr.js"
	on_net curl -sSf -o /dev/null "$dashboard/"
	echo "$id" >"$BATS_FILE_TMPDIR/id"
}

# as USER COMMAND...: in the container.
as() {
	local user=$1
	shift
	inside setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}

@test "no service reads the secrets of another" {
	local secret=/run/credentials/rr-collect.service/secret user pid
	[[ $(inside cat "$secret") =~ ^[0-9a-f]{64}$ ]]
	as rr-collect test -r "$secret"
	for user in rr-view s2-lite; do
		as "$user" test -e "$secret" && fail "$user sees the secret"
		as "$user" test -r /etc/rrpipe/secret && fail "$user reads it"
	done
	as rr-collect test -r /etc/rrpipe/secret && fail 'collector reads it'
	for pid in $(stage rr-collect.service rr-collect); do
		inside cat "/proc/$pid/environ" "/proc/$pid/cmdline" |
		    grep -aF "$(inside cat "$secret")" && fail 'it is told'
	done
	as rr-view test -r /var/lib/rrpipe/s2 && fail 'S2 is open to readers'
	as rr-collect test -r /var/lib/rrpipe/s2 && fail 'S2 is open'
	true
}

@test "s2-lite is walled in, also without our preload" {
	on_net curl -s -m 2 http://127.0.0.1:8790/health
	run -7 on_net curl -s -m 2 http://192.0.2.1:8790/health
	inside mv /usr/local/lib/rrpipe/loopback.so /root
	kill_stage s2-lite.service server
	wait_until 20 is_ready
	# It listens there, and nothing arrives.
	run -28 on_net curl -s -m 2 http://192.0.2.1:8790/health
	inside mv /root/loopback.so /usr/local/lib/rrpipe
	kill_stage s2-lite.service server
	wait_until 20 is_ready
}

@test "systemctl restart of the collector: nobody notices" {
	local i
	begin_traffic
	for i in 1 2 3; do
		inside systemctl restart rr-collect
		flows
	done
	inside systemctl reload rr-collect
	flows
	cat "${senders[@]/%/.retries}"
	[ "$(cat "${senders[@]/%/.retries}" | wc -l)" = 0 ]
	end_traffic
	none_failed
}

@test "systemctl restart of each unit under traffic loses nothing" {
	local unit
	begin_traffic
	for unit in rr-view.service s2-lite.service rr-collect.socket \
	    rr-view.socket rrpipe.target; do
		inside systemctl restart "$unit"
		wait_until 20 is_ready
		flows
	done
	end_traffic
	wait_until 20 all_active
	none_failed
}

# kill_stage UNIT COMMAND: by SIGKILL, and waits until it is there again.
kill_stage() {
	local before
	before=$(restarts "$1")
	send KILL "$(stage "$1" "$2" | head -n 1)"
	wait_until 20 back "$1" "$before"
}

back() {
	(($(restarts "$1") > $2)) &&
	    inside systemctl --quiet is-active "$1"
}

@test "kill -9 of each process loses nothing, and it comes back" {
	local name
	begin_traffic
	for name in rr-ingest rr-collect rr-frame s2-append; do
		kill_stage rr-collect.service "$name"
		flows
	done
	kill_stage s2-lite.service server
	flows
	kill_stage rr-view.service sse-bridge
	on_net curl -sSf -o /dev/null "$dashboard/"
	end_traffic
	none_failed
}

@test "S2 stopped: the collector says so, waits, and goes on" {
	begin_traffic
	inside systemctl stop s2-lite
	wait_until 5 is_not_ready
	inside systemctl --quiet is-active rr-collect
	inside systemctl start s2-lite
	wait_until 6 is_ready
	flows
	end_traffic
	none_failed
}

is_not_ready() {
	! is_ready
}

# settings LINE...: replaces the settings file.
settings() {
	printf '%s\n' "$@" >"$BATS_FILE_TMPDIR/root/etc/rrpipe/rrpipe.conf"
}

@test "a wrong setting is told once, and the right one heals" {
	settings 'RR_COLLECT_OPTIONS=--nosuch'
	run inside systemctl restart rr-collect
	[ "$status" != 0 ]
	[ "$(inside systemctl show -P SubState rr-collect)" = failed ]
	[ "$(inside systemctl show -P ExecMainStatus rr-collect)" = 64 ]
	settings
	inside systemctl start rr-collect
	is_ready
	none_failed
}

@test "another S2, whose token is told to nobody" {
	local etc=$BATS_FILE_TMPDIR/root/etc unit pid
	settings S2_ACCOUNT_ENDPOINT=http://127.0.0.1:8790 \
	    S2_BASIN_ENDPOINT=http://127.0.0.1:8790
	for unit in rr-collect rr-view; do
		install -Dm 644 -t "$etc/systemd/system/$unit.service.d" \
		    "$ROOT/examples/systemd/cloud.conf"
	done
	inside systemctl daemon-reload
	# It is read: this is none.
	echo 'not a token' >"$etc/rrpipe/s2-token"
	run inside systemctl restart rr-collect
	[ "$status" != 0 ]
	[ "$(inside systemctl show -P ExecMainStatus rr-collect)" = 78 ]
	echo 'a-good-token' >"$etc/rrpipe/s2-token"
	chmod 600 "$etc/rrpipe/s2-token"
	inside systemctl restart rr-collect rr-view
	is_ready
	on_net curl -sSf "$dashboard/api/sessions" | jq -e '.sessions | length > 0'
	for pid in $(inside cat /sys/fs/cgroup/system.slice/rr-collect.service/cgroup.procs); do
		inside cat "/proc/$pid/environ" "/proc/$pid/cmdline" >proc
		run grep -aF a-good-token proc
		[ "$status" = 1 ]
	done
	# s2-lite is not wanted, which is no failure.
	inside systemctl restart s2-lite
	run inside systemctl is-active s2-lite
	[ "$output" = inactive ]
	none_failed

	settings
	rm -r "$etc"/systemd/system/rr-{collect,view}.service.d
	inside systemctl daemon-reload
	inside systemctl restart s2-lite rr-collect rr-view
	wait_until 20 is_ready
}

@test "a collector that hangs is started again" {
	inside mkdir -p /run/systemd/system/rr-collect.service.d
	printf '[Service]\nWatchdogSec=2\n' | inside tee \
	    /run/systemd/system/rr-collect.service.d/test.conf
	inside systemctl daemon-reload
	inside systemctl restart rr-collect
	local before
	before=$(restarts rr-collect)
	# An idle one does not count as hung.
	run wait_until 5 back rr-collect "$before"
	[ "$status" != 0 ]
	send STOP "$(stage rr-collect.service rr-collect)"
	wait_until 20 back rr-collect "$before"
	inside rm -r /run/systemd/system/rr-collect.service.d
	inside systemctl daemon-reload
	inside systemctl restart rr-collect
}

@test "after a reboot all is there again" {
	inside systemctl enable rrpipe.target
	inside systemctl reboot
	# Such a container ends where a machine would begin anew.
	wait_until 60 gone "$(<"$BATS_FILE_TMPDIR/nspawn")"
	power_on
	wait_until 20 all_active
	wait_until 10 is_ready
	none_failed
	inside rr cat "$(<"$BATS_FILE_TMPDIR/id")" |
	    cmp - "$DATA/real-stats-test-page.ndjson"
}

@test "systemctl stop rrpipe.target leaves no process" {
	begin_traffic
	local file
	for file in "${senders[@]}"; do
		touch "$file.stop"
	done
	inside systemctl stop rrpipe.target
	none_failed
	local user
	for user in rr-collect rr-view s2-lite; do
		run inside find /proc -maxdepth 1 -user "$user"
		[ -z "$output" ]
	done
	inside systemctl start rrpipe.target
	end_traffic
}
