# s2-stream: basins and streams from the shell.

load helper

@test "ensure makes a basin, and then changes only what is named" {
	local uri=s2://t-$SRANDOM-x
	[[ $(s2-stream ensure "$uri" timestamping=arrival retention=36h \
	    create-on-append=yes) == created ]]
	[[ $(s2-stream ensure "$uri") == exists ]]
	cat >want <<-'EOF'
	create-on-append=yes
	create-on-read=no
	retention=36h
	timestamping=arrival
	EOF
	s2-stream config "$uri" | cmp - want
	[[ $(s2-stream ensure "$uri" retention=infinite) == configured ]]
	sed -i s/36h/infinite/ want
	s2-stream config "$uri" | cmp - want
	s2-stream config "$uri" retention=90d uncapped=no | cmp - <(
		sed 's/infinite/90d/' want
		echo uncapped=no
	)
	s2-stream config "$uri" retention= uncapped= create-on-append=no >got
	printf '%s\n' create-on-append=no create-on-read=no \
	    timestamping=arrival | cmp - got
	[[ $(s2-stream config -j "$uri" |
	    jq -c .default_stream_config.timestamping.mode) == '"arrival"' ]]
	run -1 s2-stream create "$uri"
	[[ $output == *"create $uri: S2 answered 409"* ]]
}

@test "the settings of a stream" {
	new_basin
	local uri=s2://$RR_BASIN/a/b%20c?d
	[[ $(s2-stream create "$uri" retention=2d delete-on-empty=90m \
	    storage-class=standard timestamping=client-require \
	    uncapped=yes) == created ]]
	cat >want <<-'EOF'
	delete-on-empty=90m
	retention=2d
	storage-class=standard
	timestamping=client-require
	uncapped=yes
	EOF
	s2-stream config "$uri" | cmp - want
	[[ $(s2-stream ensure "$uri" retention=3661) == configured ]]
	s2-stream config "$uri" | cmp - <(sed s/2d/3661s/ want)
	run -1 s2-stream create "$uri"
	[[ $(s2-stream list "s2://$RR_BASIN") == 'a/b%20c?d' ]]
}

@test "list: prefix, count, start, pages, JSON" {
	new_basin
	local i
	for i in a/1 a/2 a/3 b 'c d'; do
		s2-stream create "s2://$RR_BASIN/$i" >/dev/null
	done
	printf '%s\n' a/1 a/2 a/3 b 'c d' >want
	s2-stream list "s2://$RR_BASIN" | cmp - want
	s2-stream list -p a/ "s2://$RR_BASIN" | cmp - <(head -3 want)
	s2-stream list -n 2 "s2://$RR_BASIN" | cmp - <(head -2 want)
	s2-stream list -a a/3 "s2://$RR_BASIN" | cmp - <(tail -2 want)
	s2-stream list -j "s2://$RR_BASIN" | jq -r .name | cmp - want
	[[ $(s2-stream list -n 1 -p "$RR_BASIN") == "$RR_BASIN" ]]
	[[ $(s2-stream list -p none "s2://$RR_BASIN") == '' ]]
	run -64 s2-stream list "s2://$RR_BASIN/a"
	run -66 s2-stream list s2://no-such-basin
	[[ $output == 's2-stream: list s2://no-such-basin: there is no such basin' ]]
}

@test "list: more than a page" {
	new_basin
	local i
	for i in {1000..2010}; do
		echo "next"
		echo "url = \"$S2_ACCOUNT_ENDPOINT/v1/streams\""
		echo "header = \"S2-Basin: $RR_BASIN\""
		echo 'header = "Content-Type: application/json"'
		echo "data = \"{\\\"stream\\\":\\\"s$i\\\"}\""
		echo 'output = "/dev/null"'
	done | tail -n +2 >config
	curl -sS --fail --parallel -K config
	s2-stream list "s2://$RR_BASIN" | cmp - <(printf 's%s\n' {1000..2010})
	s2-stream list -n 1005 -a s1001 "s2://$RR_BASIN" |
	    cmp - <(printf 's%s\n' {1002..2006})
}

@test "fence, tail, trim" {
	new_basin
	local uri=s2://$RR_BASIN/x
	s2-stream create "$uri" >/dev/null
	[[ $(s2-stream tail "$uri") == '0 0' ]]
	[[ $(s2-stream fence "$uri" active) == 0 ]]
	run -4 s2-stream fence -e other "$uri" mine
	[[ $output == *"fenced by 'active'" ]]
	run -4 s2-stream fence -e '' "$uri" mine
	[[ $(s2-stream fence -e active "$uri" mine) == 1 ]]
	[[ $(s2-stream fence -j "$uri" '' | jq .start.seq_num) == 2 ]]
	[[ $(s2-stream fence -e '' "$uri" "$(printf '%036d')") == 3 ]]
	run -64 s2-stream fence "$uri" "$(printf '%037d')"
	[[ $(s2-stream tail "$uri") =~ ^4\ [0-9]{13}$ ]]
	[[ $(s2-stream trim "$uri" 3) == 4 ]]
	[[ $(s2-stream tail -j "$uri" | jq .tail.seq_num) == 5 ]]
	# As S2's own reader of commands sees them.
	s2-tail -s -2 "$uri" | protoc --decode_raw >got
	grep -q '3: "fence"\|2: "fence"' got
	grep -q '2: "trim"' got
	run -64 s2-stream trim "$uri" -1
	run -64 s2-stream trim "$uri" x
}

@test "delete, and what is not there" {
	new_basin
	local uri=s2://$RR_BASIN/x
	s2-stream create "$uri" >/dev/null
	s2-stream delete "$uri"
	gone_for_good() { ! s2-stream tail "$uri" 2>/dev/null; }
	wait_until 10 gone_for_good
	[[ -z $(s2-stream list "s2://$RR_BASIN") ]]
	run -66 s2-stream tail "$uri"
	run -66 s2-stream config "$uri"
	run -66 s2-stream fence "$uri" x
	run -66 s2-stream trim "$uri" 0
	run -66 s2-stream config s2://not-there-1
	run -66 s2-stream create s2://not-there-1/x
}

@test "new and name" {
	local id name before after
	before=$(date +%s%3N)
	id=$(s2-stream new)
	after=$(date +%s%3N)
	[[ $id =~ ^[0-9a-hj-km-np-tv-z]{25}$ && $id != "$(s2-stream new)" ]]
	name=$(RR_BASIN=my-basin-1 RR_PREFIX=a/b s2-stream name "$id")
	[[ $name =~ ^s2://my-basin-1/a/b/([0-9]{13})-$id$ ]]
	((9999999999999 - 10#${BASH_REMATCH[1]} >= before))
	((9999999999999 - 10#${BASH_REMATCH[1]} <= after))
	unset RR_BASIN RR_PREFIX
	[[ $(s2-stream name 00000000000000001m7z7jt00) == \
	    s2://rrpipe-sessions/sessions/*-00000000000000001m7z7jt00 ]]
	run -64 s2-stream name 00000000000000001m7z7jt0
	run -64 s2-stream name 0000000000000000l1m7z7jt0
}

@test "wrong use" {
	run -64 s2-stream
	[[ $output == 's2-stream: a command is needed; see s2-stream --help' ]]
	run -64 s2-stream destroy
	run -64 s2-stream tail
	run -64 s2-stream tail s2://some-basin
	run -64 s2-stream tail s2://some-basin/x y
	run -64 s2-stream tail http://some-basin/x
	run -64 s2-stream tail -n 1 s2://some-basin/x
	run -64 s2-stream list -n 0
	run -64 s2-stream create s2://some-basin/x retention=5y
	run -64 s2-stream create s2://some-basin/x retention=-1
	run -64 s2-stream create s2://some-basin/x colour=red
	run -64 s2-stream create s2://some-basin/x create-on-read=yes
	run -64 s2-stream ensure s2://some-basin create-on-read=
	run -64 s2-stream ensure s2://some-basin timestamping=none
	run -64 s2-stream ensure s2://some-basin uncapped=1
	run -78 env S2_ACCOUNT_ENDPOINT= s2-stream list
	run -0 s2-stream --help
	run -0 s2-stream --version
	run -1 bash -c 's2-stream new >/dev/full'
}

@test "S2 away: 75, within 20 seconds" {
	use_s2 "$(free_port)"
	local begun=$SECONDS
	run -75 s2-stream list
	((SECONDS - begun < 20))
}

@test "the examples of its page" {
	new_basin
	local uri=s2://$RR_BASIN/x
	s2-stream create "$uri" >/dev/null
	s2-stream fence "$uri" active >/dev/null
	page_examples "$ROOT/bin/s2-stream/s2-stream.1" |
	    sed "s|s2://BASIN/STREAM|$uri|; s|s2://BASIN|s2://$RR_BASIN|" >script
	bash -euo pipefail script >got
	printf '%s\n' configured created 0 1 | cmp - got
	s2-stream config "s2://$RR_BASIN" | grep -Fx retention=30d
	run -4 s2-stream fence -e active "$uri" another
}
