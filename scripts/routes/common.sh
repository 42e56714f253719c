# shellcheck shell=bash
# What the commands of the read routes share. sse-bridge(1) runs them with
# words that it has checked: an id first, where there is one, then KEY=VALUE.
set -euo pipefail

# shellcheck source=../common.sh
. "${0%/*}/../common.sh"
defaults
export RR_AUDITED=1	# by sse-bridge

# What they have to say is about that session.
[[ ! ${1-} =~ ^[a-z0-9]{25}$ ]] || export RR_LOG_SESSION=$1

# What one process of a command may take, whatever is in the session that it
# reads; sse-bridge(1) tells how many there are. A limit that is lower already
# stays.
limit() {
	ulimit "$@" 2>/dev/null || :
}
limit -c 0
limit -f 1048576
limit -n 256
limit -t 3600
((RR_VIEW_MEMORY == 0)) || limit -v $((RR_VIEW_MEMORY * 1024))

# stream_of ID: sets uri to what s2-stream name says, by no process: somebody
# waits for the first picture.
stream_of() {
	local digits=0123456789abcdefghjkmnpqrstvwxyz rest i time=0

	for ((i = 16; i < 25; i++)); do
		rest=${digits%%"${1:i:1}"*}
		((time = time * 32 + ${#rest}))
	done
	# shellcheck disable=SC2034 # for who reads this
	printf -v uri 's2://%s/%s/%013d-%s' "$RR_BASIN" \
	    "${RR_PREFIX:-sessions}" $((9999999999999 - time)) "$1"
}
