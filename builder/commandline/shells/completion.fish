# Completion for fish 3 or later: ./bootstrap --print-completion-script=fish | source

function __lvs_builder_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --cut-at-cursor --current-token)
    set -l found (eval $words[1] --complete -- (string escape -- $words[2..-1] "$current") 2>/dev/null)
    if test (count $found) -gt 0
        string join \n -- $found
    else
        __fish_complete_path "$current"
    end
end

for name in invoke inv bootstrap lvs-builder
    complete --command $name --no-files --keep-order --arguments '(__lvs_builder_complete)'
end
