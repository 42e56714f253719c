# rr-janitor: who is ended, who is not, and that many of them do no harm.

load helper

export RR_LEASE=2

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	new_basin
	s2-stream ensure "s2://$RR_BASIN" create-on-append=no >/dev/null
}

# open_session [META]: prints the id of a new one.
open_session() {
	local id
	id=$(s2-stream new)
	printf '%s\n' ':fence set=active' ${1+":meta $1"} ':end token=1' |
	    rr-frame | s2-append -c "$(s2-stream name "$id")" >/dev/null
	echo "$id"
}

# add ID: an event, as a recorder's collector would.
add() {
	echo '{"type":3}' | rr-frame |
	    s2-append -t active "$(s2-stream name "$1")" >/dev/null
}

state() {
	rr-ls -j "$1" | jq -r .state
}

# janitor_at_work: runs it once, while events are added to live. Sets janitor.
janitor_at_work() {
	start rr-janitor
	janitor=${pid?}
	until gone "$janitor"; do
		add "$live"
	done
	ended "$janitor"
}

@test "rr-janitor: an idle session is stopped, for good, and a live one is not" {
	local idle live after janitor
	idle=$(open_session '{"title":"idle"}')
	live=$(open_session)
	add "$idle"
	janitor_at_work
	[ "$(cat "$janitor.out")" = "$idle stopped" ]
	[ "$(cat "$janitor.err")" = '' ]
	[ "$(state "$idle")" = stopped ]
	[ "$(state "$live")" = live ]
	run -4 add "$idle"
	[ "$(rr-ls -j "$idle" | jq -c .stop)" = '{"reason":"lease"}' ]
	# What was recorded is as it was.
	[ "$(rr cat "$idle")" = '{"type":3}' ]
	add "$live"
	# And that was that.
	after=$(s2-stream tail "$(s2-stream name "$idle")")
	janitor_at_work
	[ "$(cat "$janitor.out")" = '' ]
	[ "$(s2-stream tail "$(s2-stream name "$idle")")" = "$after" ]
}

@test "rr-janitor: what a later version wrote to is left alone" {
	local later idle before
	later=$(open_session)
	idle=$(open_session)
	add "$later"
	add "$idle"
	printf ':record head=2108000000000151 body=eA==\n:end\n' | rr-frame |
	    s2-append "$(s2-stream name "$later")"
	before=$(s2-stream tail "$(s2-stream name "$later")")
	run -0 --separate-stderr rr-janitor -i
	[ "$output" = "$idle stopped" ]
	[ "$stderr" = "rr-janitor: $later was written by a later version, and is left alone; install that version here" ]
	[ "$(s2-stream tail "$(s2-stream name "$later")")" = "$before" ]
	[ "$(rr-ls -j "$later" 2>/dev/null | jq -c '[.later, .records]')" = '[true,3]' ]
}

@test "rr-janitor: several at once stop each session once" {
	local i ids=() janitors=()
	for i in {1..20}; do
		ids+=("$(open_session)")
		add "${ids[-1]}"
	done
	for i in 1 2 3; do
		start rr-janitor
		janitors+=("$pid")
	done
	for i in "${janitors[@]}"; do
		ended "$i"
		[ "$(cat "$i.err")" = '' ]
	done
	# Two may both see that it is done, and by the same words.
	sort -u "${janitors[@]/%/.out}" >stopped
	printf '%s stopped\n' "${ids[@]}" | sort | diff - stopped
	for i in "${ids[@]}"; do
		[ "$(rr cat -d "$i" | grep -c '^:stop')" = 1 ]
	done
}

@test "rr-janitor: what is empty goes, after a while" {
	local bare described full
	bare=$(open_session)
	described=$(open_session '{"title":"x"}')
	full=$(open_session)
	add "$full"
	run -0 rr-janitor
	[ "$(sort <<<"$output")" = "$(printf '%s stopped\n' \
	    "$bare" "$described" "$full" | sort)" ]
	# Not yet.
	run -0 rr-janitor
	[ -z "$output" ]
	run -0 rr-janitor -e 0
	[ "$(sort <<<"$output")" = "$(printf '%s deleted\n' \
	    "$bare" "$described" | sort)" ]
	[ "$(rr-ls -j | jq -r '.sessions[].id')" = "$full" ]
}

@test "rr-janitor: a list of several pages" {
	local i
	sed 's/^page=200/page=3/' "$ROOT/scripts/rr-janitor" >janitor
	cp "$ROOT/scripts/common.sh" .
	for i in {1..8}; do
		open_session >>ids
	done
	PATH=$BUILD/bin:$PATH run -0 bash ./janitor
	[ "$(sort <<<"$output")" = "$(sed 's/$/ stopped/' ids | sort)" ]
}

@test "rr-janitor: wrong use, and S2 away" {
	local args
	for args in -x '-b x' '-e' 'x' '--x'; do
		# shellcheck disable=SC2086 # words
		run -64 rr-janitor $args
	done
	S2_ACCOUNT_ENDPOINT=http://127.0.0.1:1 \
	    S2_BASIN_ENDPOINT=http://127.0.0.1:1 run -75 rr-janitor
}

# index_of ID: the entries of that session.
index_of() {
	s2-tail "s2://$RR_BASIN/sessions.index" | rr-reassemble -d |
	    sed -n 's/^:meta [^{]*//p' | jq -c "select(.id == \"$1\")"
}

# future_id: an id of two hours from now.
future_id() {
	local digits=0123456789abcdefghjkmnpqrstvwxyz time out='' i
	time=$(($(date +%s%3N) + 7200000))
	for i in {1..9}; do
		out=${digits:time%32:1}$out
		((time /= 32))
	done
	echo "0000000000000000$out"
}

@test "rr-janitor: the index is told, mended and trimmed" {
	local a b c future
	a=$(open_session '{"title":"a"}')
	b=$(open_session '{"title":"b"}')
	add "$a"
	add "$b"
	run -0 rr-janitor
	[ "$(index_of "$a" | jq -c '[.meta.title, .stop.reason, .records]')" = \
	    '["a","lease",5]' ]
	rr-ls -j | jq -S 'del(.index)' >whole
	# It is lost, and made again; and once is enough.
	s2-stream delete "s2://$RR_BASIN/sessions.index"
	run -0 rr-janitor -i
	[ "$(index_of "$a" | wc -l)$(index_of "$b" | wc -l)" = 11 ]
	run -0 rr-janitor -i
	[ "$(index_of "$a" | wc -l)$(index_of "$b" | wc -l)" = 11 ]
	rr-ls -j | jq -S 'del(.index)' | diff whole -
	# Nothing of a living session is trimmed.
	[ "$(s2-tail -n 1 "s2://$RR_BASIN/sessions.index" | rr-reassemble -d |
	    sed -n 's/^:meta seq=\([0-9]*\) .*/\1/p')" = 0 ]
	# What is older than all sessions goes; here, by the clock of an id.
	rr rm -f "$a" "$b" >/dev/null
	future=$(future_id)
	s2-stream create "$(s2-stream name "$future")" >/dev/null
	run -0 rr-janitor -i
	is_trimmed() { [ -z "$(index_of "$a")" ]; }
	# S2 drops what was trimmed when it likes: s2-lite once a minute at the latest.
	wait_until 90 is_trimmed
	s2-stream delete "$(s2-stream name "$future")"
	# One that was made and never written to, an hour ago.
	c=$(s2-stream new)
	s2-stream create "$(s2-stream name "$c")" >/dev/null
	run -0 rr-janitor
	[ -z "$output" ]
	run -0 rr-janitor -e 0
	[ "$output" = "$c deleted" ]
}
