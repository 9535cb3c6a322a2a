#!/usr/bin/zsh -f
# complete.zsh LINE: prints what zsh's completion offers at the end of LINE, one a line.  A second
# zsh on a pseudo-terminal gets LINE and a tab; its compadd says what would be shown.
zmodload zsh/zpty || exit 1
cd ${0:h}/../.. || exit 1

zpty -b inner zsh -f -i
# Not so long that one line of it does not fit into the terminal's buffer.
inner_line() { zpty -w inner "$1"; }
inner_line "PS1= PS2=; stty -echo 2>/dev/null; export PATH=${(q)PATH} LC_ALL=C.UTF-8"
inner_line "mkdir -p ${(q)TMPDIR:-/tmp}/zfunc && cp completions/est.zsh ${(q)TMPDIR:-/tmp}/zfunc/_est"
inner_line "fpath=(${(q)TMPDIR:-/tmp}/zfunc \$fpath); autoload -Uz compinit"
inner_line "compinit -u -d ${(q)TMPDIR:-/tmp}/zcompdump"
inner_line 'zstyle ":completion:*" verbose no; LISTMAX=9999'
inner_line 'compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
	local -a hits
	builtin compadd -A hits "$@"
	local hit; for hit in $hits; do print -r -- "OFFER<$hit>"; done
	builtin compadd "$@"
}'
inner_line 'finish() { print -r -- "END"OFFER; exit }; zle -N finish; bindkey "^X" finish'
inner_line 'bindkey "^I" complete-word; print READ"Y"'

typeset text chunk
integer end=SECONDS+20
wait_for() {
	while (( SECONDS < end )); do
		if zpty -rt inner chunk; then
			text+=$chunk
		else
			sleep 0.02
		fi
		[[ $text == *$1* ]] && return 0
	done
	print -u 2 "no answer from zsh: ${(q)text}"
	zpty -d inner
	exit 1
}
wait_for READY
text=
zpty -wn inner "$1"$'\t\x18'
wait_for ENDOFFER
zpty -d inner
print -r -- $text | grep -o 'OFFER<[^>]*>' | sed 's/^OFFER<//; s/>$//' | sort -u
