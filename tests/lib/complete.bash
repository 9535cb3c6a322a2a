# complete.bash WORDS: prints what the bash completion offers after WORDS, one a line, as readline
# would be given it.  The last word is the one under the cursor; bash cuts words at "=" and ":".
# shellcheck disable=SC2034 # the COMP_ variables are read by the completion
set -u
cd "${0%/*}/../.." || exit 1
compopt() { :; } # needs readline
# shellcheck source=completions/est.bash
. completions/est.bash

COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
mapfile -t COMP_WORDS < <(grep -oE '[^ =:]+|[=:]+' <<<"$COMP_LINE")
[[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
command=${COMP_WORDS[0]}
read -ra registered < <(complete -p "${command##*/}")
"${registered[2]}" "$command" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
