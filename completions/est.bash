# SPDX-License-Identifier: MIT
# bash completion for est(1) and its links est-APPLET.  Applets and options are asked of the binary
# when the key is pressed; only the values of some options stand here.

# _est_values APPLET OPTION: what the option can be set to, if that is a short list.
_est_values() {
	case $2 in
	--new-key)
		echo "ec:p256 ec:p384 ec:p521 rsa:2048 rsa:3072 rsa:4096 rsa:8192 ed25519 ed448"
		;;
	--hash)
		echo "sha256 sha384 sha512"
		;;
	--tls-min)
		echo "1.2 1.3"
		;;
	--pop)
		echo "auto off require tls-exporter tls-unique"
		;;
	--compat)
		echo "cte pem oneline"
		;;
	--csrattrs)
		echo "auto require ignore"
		;;
	--color)
		echo "auto always never"
		;;
	--auth)
		echo "auto basic digest bearer none"
		;;
	--clock-floor)
		echo "on off"
		;;
	--key-usage)
		echo "digitalSignature nonRepudiation keyEncipherment dataEncipherment keyAgreement"
		;;
	--ext-key-usage | --purpose)
		echo "serverAuth clientAuth codeSigning emailProtection timeStamping OCSPSigning"
		;;
	--outform)
		case $1 in
		cacerts | inspect) echo "pem der p7" ;;
		csr) echo "pem der" ;;
		csrattrs) echo "text der b64" ;;
		esac
		;;
	esac
}

# Words up to the cursor into est_words.  bash has cut them at "=" and ":", which are part of ours.
_est_join_words() {
	local i word glue=
	est_words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $i -gt 0 && $word =~ ^[=:]+$ ]]; then
			est_words[-1]+=$word
			glue=1
		elif [[ $glue && $word ]]; then
			est_words[-1]+=$word
			glue=
		else
			est_words+=("$word")
			glue=
		fi
	done
}

# _est_offer CURRENT WORD...: the words that start with what is typed, without the part before the
# last "=" or ":", for readline replaces only what comes after it.
_est_offer() {
	local cur=$1 cut=
	shift
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		cut=${cur%"${cur##*:}"}
	fi
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
	COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}

_est_files() { # CURRENT [compgen action]
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen "${2:--f}" -- "$1")
}

# _est_argument EST APPLET OPTION: what the option calls its argument, "" for none; in brackets one
# that only "=" can give.
_est_argument() {
	"$1" help --options "$2" 2>/dev/null | awk -F '\t' -v o="$3" '$1 == o || $2 == o { print $3; exit }'
}

# _est_value EST APPLET OPTION CURRENT: completes the argument of an option; false: it has none.
_est_value() {
	local name=$3 argument values
	argument=$(_est_argument "$1" "$2" "$name")
	[[ $argument ]] || return 1
	values=$(_est_values "$2" "$name")
	# shellcheck disable=SC2086 # the values are words
	if [[ $values ]]; then
		_est_offer "$4" $values
	elif [[ $argument == FILE ]]; then
		_est_files "$4"
	elif [[ $argument == DIR ]]; then
		_est_files "$4" -d
	fi
}

_est_applet() { # EST APPLET
	local cur=${est_words[-1]} previous=${est_words[-2]}
	if [[ $cur == --*=* ]]; then
		_est_value "$1" "$2" "${cur%%=*}" "${cur#*=}"
	elif [[ $previous == -* && $previous != *=* && $(_est_argument "$1" "$2" "$previous") != \[* ]] &&
		_est_value "$1" "$2" "$previous" "$cur"; then
		return
	elif [[ $cur == -* ]]; then
		_est_offer "$cur" "$("$1" help --options "$2" 2>/dev/null | cut -f 1)"
	elif [[ $("$1" help "$2" 2>/dev/null | head -n 1) == *FILE* ]]; then
		_est_files "$cur"
	fi
}

_est() {
	local command=$1 applet
	local -a est_words
	COMPREPLY=()
	_est_join_words
	local cur=${est_words[-1]}
	applet=${command##*/}
	if [[ $applet == est-* ]]; then
		applet=${applet#est-}
		_est_applet "${command%"-$applet"}" "$applet"
	elif [[ ${#est_words[@]} -le 2 && $cur == -* ]]; then
		_est_offer "$cur" --help --install --list --version
	elif [[ ${#est_words[@]} -le 2 ]]; then
		_est_offer "$cur" "$("$command" --list 2>/dev/null)" help
	elif [[ ${est_words[1]} == help && ${#est_words[@]} == 3 ]]; then
		_est_offer "$cur" "$("$command" --list 2>/dev/null)" exit-codes --options
	elif [[ ${est_words[1]} == help && ${est_words[2]} == --options ]]; then
		_est_offer "$cur" "$("$command" --list 2>/dev/null)"
	elif [[ ${est_words[1]} == --install ]]; then
		_est_files "$cur" -d
	elif [[ ${est_words[1]} != -* && ${est_words[1]} != help ]]; then
		_est_applet "$command" "${est_words[1]}"
	fi
}

complete -F _est est
for _est_name in $(est --list 2>/dev/null); do
	complete -F _est "est-$_est_name"
done
unset _est_name
