# Completion for zsh 5 or later: eval "$(./bootstrap --print-completion-script=zsh)"

_lvs_builder() {
	local -a found
	local command=${~words[1]}
	found=("${(@f)$($command --complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
	found=("${(@)found:#}")
	if (( $#found )); then
		compadd -a found
	else
		_files
	fi
}

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
compdef _lvs_builder invoke inv bootstrap lvs-builder
