# shellcheck shell=bash
# Completion for bash 4.4 or later: eval "$(./bootstrap --print-completion-script=bash)"

_lvs_builder() {
	local line=${COMP_LINE:0:COMP_POINT} word broken mark
	local -a words
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	word=${words[-1]}
	mapfile -t COMPREPLY < <("${words[0]/#\~/$HOME}" --complete -- "${words[@]:1}" 2>/dev/null)
	# bash replaces only what stands behind the last of its own word breaks.
	for mark in : =; do
		[[ $COMP_WORDBREAKS == *$mark* && $word == *$mark* ]] || continue
		broken=${word%"${word##*"$mark"}"}
		COMPREPLY=("${COMPREPLY[@]#"$broken"}")
		word=${word#"$broken"}
	done
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[,=] ]] && compopt -o nospace
	return 0
}

complete -o default -F _lvs_builder invoke inv bootstrap ./bootstrap lvs-builder
