# rr-outline: what happened, without what it looked like.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

@test "rr-outline: what tells what happened, and nothing else" {
	local big
	printf -v big '%65536s'
	cat >all <<-EOF
	:meta seq=1 {"url":"a"}
	:batch tab=1 batch=1 seq=2 seqs=1 first=1000 last=9000 flags=full
	{"type":4,"data":{"href":"https://a.example/"},"timestamp":1000}
	{"type":2,"data":{"node":{"type":0,"childNodes":[{"id":2,"childNodes":[]}],"id":1},"initialOffset":{}},"timestamp":1001}
	{"type":3,"data":{"source":0,"adds":[]},"timestamp":1002}
	{"type":3,"data":{"source":1,"positions":[{"x":1}]},"timestamp":1100}
	{"type":3,"data":{"source":1,"positions":[{"x":2}]},"timestamp":1900}
	{"type":3, "data":{"source":2,"type":2,"id":5} ,"timestamp":2000}
	{"type":3,"data":{"source":6,"positions":[]},"timestamp":2100}
	{"type":3,"data":{"source":12,"positions":[]},"timestamp":3100.7}
	{"type":3,"data":{"source":3,"id":1,"y":5},"timestamp":4000}
	{"type":3,"data":{"source":4,"width":5,"height":6},"timestamp":5000}
	{"type":3,"data":{"source":5,"text":"x","id":7},"timestamp":6000}
	{"type":3,"data":{"source":8},"timestamp":6000}
	{"type":3,"data":{"source":"2"},"timestamp":6001}
	{"type":3,"data":{"source":2.5},"timestamp":6002}
	{"type":3,"data":[],"timestamp":6003}
	{"type":3,"timestamp":6004}
	{"type":2,"data":{"node":{"id":"x"}},"timestamp":6005}
	{"type":5,"data":{"tag":"rr.error","payload":{}},"timestamp":7000}
	{"type":6,"data":{"plugin":"rrweb/console@1"},"timestamp":8000}
	{"type":5,"data":{"tag":"$big"},"timestamp":8001}
	{"type":0,"data":{},"timestamp":8002}
	"packed"
	:end
	:gap tab=1 batch=2 cause=lost
	:batch tab=1 batch=3 seq=3 seqs=1 snap=2 first=9000 last=9000
	{"type":3,"data":{"source":0},"timestamp":9000}
	:end
	:record seq=4 value=AA==
	:stop seq=5 {}
	:tail seq=6
	EOF
	cat >want <<-'EOF'
	:meta seq=1 {"url":"a"}
	:batch tab=1 batch=1 seq=2 seqs=1 first=1000 last=9000 flags=full
	{"type":4,"data":{"href":"https://a.example/"},"timestamp":1000}
	{"type":2,"data":{"node":{"id":1}},"timestamp":1001}
	{"type":3,"data":{"source":1},"timestamp":1100}
	{"type":3, "data":{"source":2,"type":2,"id":5} ,"timestamp":2000}
	{"type":3,"data":{"source":12},"timestamp":3100}
	{"type":3,"data":{"source":3,"id":1,"y":5},"timestamp":4000}
	{"type":3,"data":{"source":4,"width":5,"height":6},"timestamp":5000}
	{"type":3,"data":{"source":5,"text":"x","id":7},"timestamp":6000}
	{"type":5,"data":{"tag":"rr.error","payload":{}},"timestamp":7000}
	{"type":6,"data":{"plugin":"rrweb/console@1"},"timestamp":8000}
	:end
	:gap tab=1 batch=2 cause=lost
	:batch tab=1 batch=3 seq=3 seqs=1 snap=2 first=9000 last=9000
	:end
	:stop seq=5 {}
	:tail seq=6
	EOF
	rr-outline <all >got
	diff want got
	# An outline is its own outline; and it may come in pieces.
	rr-outline <got | diff want -
	(head -c 700 all; tail -c +701 all) | rr-outline | diff want -
	rr-outline </dev/null >got
	[[ ! -s got ]]
}

@test "rr-outline: lines that are wrong, and wrong use" {
	local text
	for text in 'x' '{"type":3' ':batch tab=1 x' '{"type":3}x' '"a'; do
		run -65 rr-outline < <(printf '%s\n' "$text")
		[[ $output == 'rr-outline: line 1: '* ]]
	done
	run -65 --separate-stderr rr-outline < <(printf '%s\n' ':batch tab=1 batch=1' '{"type":4}')
	[ "$stderr" = 'rr-outline: the input ends inside a batch' ]
	run -1 bash -c 'echo :tail seq=1 | rr-outline >/dev/full'
	run -64 rr-outline x
	run -64 rr-outline -x
	run -0 rr-outline --help
	[[ $output == usage:* ]]
}

@test "rr-outline: the example of its page" {
	new_basin
	id=$(rr import "$DATA/gen-session-shop.ndjson")
	export id
	page_examples "$ROOT/bin/rr-outline/rr-outline.1" >script
	# shellcheck source=/dev/null
	. ./script >got
	jq -r 'select(.type == 4) | .timestamp, .data.href' \
	    "$DATA/gen-session-shop.ndjson" | diff - got
}

@test "rr-outline: a line that is too long is told by its number" {
	run -65 bash -c '(echo; head -c 67108864 /dev/zero | tr "\0" x) | rr-outline'
	[ "$output" = 'rr-outline: line 2: it is longer than 64 MiB' ]
}
