# The two formats: what the library reads and writes, the bytes and lines that
# the pages show, and that any tool for protobuf reads a pipe.

load helper

PATH=$BUILD/tests:$PATH

# run_examples PAGE: runs the commands in a manual page's displays, and
# compares what they print, first on stdout and then on stderr, with what
# stands below them.
run_examples() {
	local line display='' command='' count=0
	while IFS= read -r line; do
		line=${line#'\&'}
		line=${line//'\e'/'\'}
		case $line in
		.Bd*) display=1 ;;
		.Ed)
			[[ -z $command ]] || check_example
			display='' command=''
			;;
		'$ '*)
			[[ -n $display ]] || continue
			[[ -z $command ]] || check_example
			command=${line#??}
			: >expected
			;;
		'> '*) command+=$'\n'${line#??} ;;
		*) [[ -z $command ]] || printf '%s\n' "$line" >>expected ;;
		esac
	done <"$1"
	((count > 0))
}

check_example() {
	bash -c "$command" >printed 2>said || :
	cat said >>printed
	diff -u expected printed || fail "in: $command"
	((++count))
}

@test "formats: directives and lines, in any pieces, good and bad" {
	lines
}

@test "formats: record headers and messages at their limits" {
	record
}

@test "formats: session ids, stream names and buffers" {
	session
}

@test "rr-records(5): the examples are what happens" {
	run_examples "$ROOT/lib/rr-records.5"
}

@test "rr-lines(5): the example is what rr-reassemble -d writes" {
	sed -n '/^\.Bd/,/^\.Ed/p' "$ROOT/lib/rr-lines.5" | sed '1d;$d' >page
	[ "$(wc -l <page)" = 11 ]
	rr-frame page | sequence 0 1767225600100 tail |
	    rr-reassemble -d >written
	sed '$d' written | diff -u page -
	[ "$(tail -n 1 written)" = ':tail seq=6 time=1767225600150' ]
}

@test "rr-frame(1), rr-reassemble(1): the examples are what happens" {
	cat >a.ndjson <<-'EOT'
	{"type":4,"data":{"href":"http://x/"},"timestamp":1767225600000}
	{"type":2,"data":{"node":{}},"timestamp":1767225600001}
	{"type":3,"data":{"source":1,"positions":[]},"timestamp":1767225601000}
	{"type":3,"data":{"source":5,"text":"secret"},"timestamp":1767225602000}
	{"type":3,"data":{"source":2,"type":2,"id":7},"timestamp":1767225603000}
	{"type":3,"data":{},"timestamp":1767225604000}
	EOT
	cat >redact.jq <<-'EOT'
	if .type == 3 and .data.source == 5 then .data.text = ""
	elif .type == 3 and .data.source == 1 then empty else . end
	EOT
	run_examples "$ROOT/bin/rr-frame/rr-frame.1"
	run_examples "$ROOT/bin/rr-reassemble/rr-reassemble.1"
}

# The fields of S2's messages that our programs use, for protoc: as in
# s2/v1/s2.proto, with our fields of the pipe.
schema() {
	cat >pipe.proto <<-'EOT'
	syntax = "proto3";
	message Header { bytes name = 1; bytes value = 2; }
	message AppendRecord {
	  optional uint64 timestamp = 1;
	  repeated Header headers = 2;
	  bytes body = 3;
	}
	message AppendInput {
	  repeated AppendRecord records = 1;
	  optional uint64 match_seq_num = 2;
	  optional string fencing_token = 3;
	  optional string stream = 1000;
	  optional bytes token = 1001;
	  optional bytes create = 1002;
	  optional bytes probe = 1003;
	}
	message SequencedRecord {
	  uint64 seq_num = 1;
	  uint64 timestamp = 2;
	  repeated Header headers = 3;
	  bytes body = 4;
	}
	message StreamPosition { uint64 seq_num = 1; uint64 timestamp = 2; }
	message ReadBatch {
	  repeated SequencedRecord records = 1;
	  optional StreamPosition tail = 2;
	}
	EOT
}

@test "formats: protoc reads a pipe, and writes one that we read" {
	schema
	rr-frame -n 3 "$DATA/fixture-iframe.ndjson" >in
	protoc --decode=AppendInput pipe.proto <in >in.text
	[ "$(grep -c '^records' in.text)" = 5 ]
	protoc --encode=AppendInput pipe.proto <in.text | cmp - in

	sequence 0 1000 tail <in >out
	protoc --decode=ReadBatch pipe.proto <out >out.text
	grep -q 'seq_num: 4' out.text
	[ "$(tail -n 4 out.text | tr -d ' \n')" = 'tail{seq_num:5timestamp:1040}' ]
	protoc --encode=ReadBatch pipe.proto <out.text >again
	rr-reassemble again | cmp - "$DATA/fixture-iframe.ndjson"

	printf '%s\n' ':match seq=0' ':fence use= set=active' ':probe token=p' |
	    rr-frame | protoc --decode=AppendInput pipe.proto >text
	printf '%s\n' 'records {' '  headers {' '    value: "fence"' '  }' \
	    '  body: "active"' '}' 'match_seq_num: 0' 'fencing_token: ""' \
	    'probe: "p"' | cmp - text
}
