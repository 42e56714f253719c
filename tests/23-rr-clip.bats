# A span of a recording: what is printed of it, and nothing else.

load helper

# A recording of two tabs, from 1000 to 9000 ms. Tab 0 has snapshots at 1000
# and 4000, tab a one at 2000.
setup() {
	cd "$BATS_TEST_TMPDIR" || return
	cat >all <<-'EOF'
	:fence set=active seq=0 time=1
	:meta seq=1 time=1 {"url":"https://a.example/secret","user":"ann"}
	:batch tab=0 batch=1 seq=2 seqs=1 time=1 first=1000 last=1002 flags=full,error
	{"type":4,"data":{"href":"https://a.example/one"},"timestamp":1000}
	{"type":2,"data":{"node":{"text":"one"}},"timestamp":1001}
	{"type":5,"data":{"tag":"rr.error","payload":{}},"timestamp":1002}
	:end
	:batch tab=a batch=1 seq=3 seqs=1 time=1 first=2000 last=2001 flags=full
	{"type":4,"data":{},"timestamp":2000}
	{"type":2,"data":{"node":{"text":"tab a"}},"timestamp":2001}
	:end
	:batch tab=0 batch=2 snap=2 seq=4 seqs=1 time=1 first=3000 last=4200 flags=full
	{"type":3,"data":{"source":0,"texts":"old page"},"timestamp":3000}
	{"type":4,"data":{"href":"https://a.example/two"},"timestamp":4000}
	{"type":2,"data":{"node":{"text":"two"}},"timestamp":4000}
	{"type":3,"data":{"source":2,"type":2},"timestamp":4100}
	{"type":3,"data":{"text":"early","source":5},"timestamp":4200}
	:end
	:gap tab=0 batch=3 cause=lost
	:batch tab=0 batch=4 snap=4 seq=5 seqs=1 time=1 first=4400 last=5500
	{"type":3,"data":{"source":1},"timestamp":4400}
	{"type":3,"data":{"source":0},"timestamp":4500}
	{"type":3,"data":{"source":10},"untimed":1}
	{"type":3,"data":{"source":11},"untimed":2}
	{"type":5,"data":{"tag":"x"},"timestamp":4600}
	{"type":3,"data":{"source":2},"timestamp":5000}
	{"type":3,"data":{"source":1},"timestamp":5500}
	:end
	:beat seq=6 time=1
	:gap tab=a batch=2 cause=overflow events=7 seq=7 time=1
	:batch tab=a batch=3 snap=3 seq=8 seqs=2 time=1 first=5600 last=5700
	{"type":3,"data":{"source":2},"timestamp":5600,"odd":"}\"{"}
	{"anything":1}
	{"type":3,"data":{"source":1},"timestamp":5700}
	:end
	:batch tab=0 batch=5 snap=4 seq=10 seqs=1 time=1 first=5900 last=6100
	{"type":3,"data":{"source":0},"timestamp":5900}
	{"type":3,"data":{"source":0},"timestamp":6000}
	{"type":3,"data":{"source":0},"timestamp":5950}
	{"type":3,"data":{"source":0},"timestamp":6100}
	:end
	:batch tab=0 batch=6 seq=11 seqs=1 time=1
	"packed"
	:end
	:batch tab=0 batch=7 snap=4 seq=12 seqs=1 time=1 first=7000 last=9000
	{"type":3,"data":{"source":0},"timestamp":7000}
	{"type":3,"data":{"source":0},"timestamp":9000}
	:end
	:batch tab=0 batch=8 snap=4 seq=13 seqs=1 time=1 first=5000 last=5001
	{"type":3,"data":{"source":0,"texts":"the clock was set back"},"timestamp":5000}
	:end
	:fence set=stopped seq=14 time=1
	:stop seq=15 time=1 {"reason":"explicit","url":"https://a.example/secret"}
	:next seq=16
	EOF
}

@test "rr-clip: a batch that is longer than its header can tell" {
	local day=86400000
	printf '{"type":3,"timestamp":%s}\n' 1000 $((day * 2)) $((day * 5)) |
	    rr-frame | rr-reassemble -d >long
	grep -q ' first=1000 last=268436455$' long
	run -0 rr-clip 0 $((day * 4)) <long
	[ "$(grep -c timestamp <<<"$output")" = 2 ]
	run -0 rr-clip $((day * 4)) $((day * 6)) <long
	[ "$(grep -c timestamp <<<"$output")" = 1 ]
}

@test "rr-clip: where a span stands" {
	place() {
		local want=$1
		shift
		run -0 rr-clip -p "$@" <all
		[ "$output" = "$want" ] || fail "$*: $output"
	}
	place 'start=3 end=11 tabs=0@4,a@3' 5000 6000
	place 'start=2 end=3 tabs=0@2' 1001 1002
	place 'start=2 end=5 tabs=0@2' 3000 3500
	place 'start=4 end=5 tabs=0@4' 4000 4300
	place 'start=4 end=13 tabs=0@4' 8000 10000
	place 'start=2 end=14' 0 9999999999999
	place 'start=2 end=4' 0 2001
	run -65 rr-clip -p 9001 9999 <all
	[ "$output" = 'rr-clip: nothing that tells its time was recorded then' ]
	run -65 rr-clip -p 0 1000 <all
	run -65 rr-clip -p 0 9 </dev/null
	sed 's/ seq=[0-9]*//' all >files
	run -65 rr-clip -p 0 9999 <files
	[[ $output == 'rr-clip: the batches have no place in a stream;'* ]]
}

@test "rr-clip: what is in it, what it needs, and nothing else" {
	cat >want <<-'EOF'
	:batch tab=a batch=1 seq=3 seqs=1 time=1 first=2000 last=2001 flags=full
	{"type":4,"data":{},"timestamp":2000}
	{"type":2,"data":{"node":{"text":"tab a"}},"timestamp":2001}
	:end
	:batch tab=0 batch=2 snap=2 seq=4 seqs=1 time=1 first=4000 last=4200 flags=full
	{"type":4,"data":{"href":"https://a.example/two"},"timestamp":4000}
	{"type":2,"data":{"node":{"text":"two"}},"timestamp":4000}
	{"type":3,"data":{"text":"early","source":5},"timestamp":4200}
	:end
	:gap tab=0 batch=3 cause=lost
	:batch tab=0 batch=4 snap=4 seq=5 seqs=1 time=1 first=4500 last=5500
	{"type":3,"data":{"source":0},"timestamp":4500}
	{"type":3,"data":{"source":10},"untimed":1}
	{"type":3,"data":{"source":2},"timestamp":5000}
	{"type":3,"data":{"source":1},"timestamp":5500}
	:end
	:gap tab=a batch=2 cause=overflow events=7 seq=7 time=1
	:batch tab=a batch=3 snap=3 seq=8 seqs=2 time=1 first=5600 last=5700
	{"type":3,"data":{"source":2},"timestamp":5600,"odd":"}\"{"}
	{"anything":1}
	{"type":3,"data":{"source":1},"timestamp":5700}
	:end
	:batch tab=0 batch=5 snap=4 seq=10 seqs=1 time=1 first=5900 last=5950
	{"type":3,"data":{"source":0},"timestamp":5900}
	{"type":3,"data":{"source":0},"timestamp":5950}
	:end
	:next seq=16
	EOF
	# The record numbers end at 11: the server reads no more.
	sed '/^:batch tab=0 batch=6/,/^:stop/d' all >part
	rr-clip -s 0@4,a@3 5000 6000 <part >got
	diff want got
	# Reading may begin anywhere in between.
	sed '1,/^:end/d' part | rr-clip -s 0@4,a@3 5000 6000 >got
	diff want got
	sed -n '/batch=5/,$p' part | rr-clip -s 0@4,a@3 5000 6000 >got
	diff <(sed -n '/batch=5/,$p' want) got
	# In whatever pieces it comes.
	while IFS= read -r line; do
		printf '%s\n' "$line"
	done <part | rr-clip -s 0@4,a@3 5000 6000 >got
	diff want got

	# Of tabs without a start there is nothing before the span.
	rr-clip 5000 6000 <part | grep -v '^:' | jq -s '[.[].timestamp // empty] | min' >got
	[ "$(<got)" = 5000 ]
	# All of it, but for what tells no time.
	rr-clip 0 99999 <all | grep -v '^:' >got
	diff <(grep -v '^[:"]' all) got
	# A batch over more days than its header can tell of.
	printf '{"type":3,"timestamp":%s}\n' 1000 400000000 2000 | rr-frame |
	    rr-reassemble -d >long
	grep -q 'first=1000 last=268436455$' long
	rr-clip 0 300000000 <long >got
	[ "$(grep '^{' got)" = $'{"type":3,"timestamp":1000}\n{"type":3,"timestamp":2000}' ]
	rr-clip 20000 30000 <all >got
	[ "$(<got)" = ':next seq=16' ]
}

@test "rr-clip: lines that are wrong, and wrong use" {
	bad() {
		run -65 rr-clip 0 1 < <(printf '%b' "$1")
		[ "$output" = "rr-clip: $2" ] || fail "$output"
	}
	bad 'x\n' 'line 1: it is neither an event nor a directive'
	bad ':batch tab=0 batch=1\n:meta {}\n' 'line 2: a directive stands inside a batch'
	bad ':batch tab=0 batch=1\n{}\n' 'the input ends inside a batch'
	bad ':batch tab=xyz batch=1\n' 'line 1: a tab is not 1 to 8 lower-case hex digits'
	bad ':batch tab=0 batch=1 first=x last=1\n' 'line 1: a time is no number'
	run -64 rr-clip 1
	run -64 rr-clip 2 2
	run -64 rr-clip -p -s 0@1 1 2
	run -64 rr-clip -s 0 1 2
	run -64 rr-clip -s 0@x 1 2
	run -64 rr-clip -s "$(printf '%x@1,' {1..16})1@1" 1 2
	run -0 rr-clip --help
	[[ $output == usage:* ]]
}

@test "rr-clip: the example of its page" {
	local id
	# Two batches, so that the second has something to be drawn from.
	sed 's/"timestamp":/&17672256/' >rec.ndjson <<-'EOF'
	{"type":4,"data":{"href":"https://a.example/"},"timestamp":00000}
	{"type":2,"data":{"node":{}},"timestamp":00001}
	{"type":3,"data":{"source":0},"timestamp":04000}
	{"type":3,"data":{"source":2},"timestamp":04001}
	{"type":3,"data":{"source":2},"timestamp":06000}
	{"type":3,"data":{"source":2},"timestamp":66000}
	EOF
	id=$(rr import rec.ndjson)
	page_examples "$ROOT/bin/rr-clip/rr-clip.1" >script
	# shellcheck source=/dev/null
	. ./script
	grep -v '^:' minute >got
	diff <(sed -n '1,3p;5p' rec.ndjson) got
}

@test "rr-clip: events that stand in no batch" {
	printf '%s\n' '{"type":2,"data":{},"timestamp":5}' \
	    '{"type":3,"data":{"source":3},"timestamp":7}' >bare
	rr-clip 1 9 <bare | cmp - bare
	run -1 bash -c 'rr-clip 1 9 <bare >/dev/full'
	[[ $output == 'rr-clip: cannot write to standard output: '* ]]
}
