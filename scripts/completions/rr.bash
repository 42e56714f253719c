# shellcheck shell=bash
# Completion of rr in bash; rr complete has the words.

_rr() {
	local IFS=$'\n'
	# shellcheck disable=SC2207 # a word a line
	COMPREPLY=($(command rr complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _rr rr
