#compdef est -p est-*
# SPDX-License-Identifier: MIT
# zsh completion for est(1) and its links est-APPLET; installed as _est.  Applets and options are
# asked of the binary when the key is pressed; only the values of some options stand here.

# _est_action APPLET OPTION ARGUMENT: what completes the argument of an option, for _arguments.
_est_action() {
	case $2 in
	(--new-key)
		reply='(ec\:p256 ec\:p384 ec\:p521 rsa\:2048 rsa\:3072 rsa\:4096 rsa\:8192 ed25519 ed448)'
		;;
	(--hash)
		reply='(sha256 sha384 sha512)'
		;;
	(--tls-min)
		reply='(1.2 1.3)'
		;;
	(--pop)
		reply='(auto off require tls-exporter tls-unique)'
		;;
	(--compat)
		reply='(cte pem oneline)'
		;;
	(--csrattrs)
		reply='(auto require ignore)'
		;;
	(--color)
		reply='(auto always never)'
		;;
	(--auth)
		reply='(auto basic digest bearer none)'
		;;
	(--clock-floor)
		reply='(on off)'
		;;
	(--key-usage)
		reply='(digitalSignature nonRepudiation keyEncipherment dataEncipherment keyAgreement)'
		;;
	(--ext-key-usage|--purpose)
		reply='(serverAuth clientAuth codeSigning emailProtection timeStamping OCSPSigning)'
		;;
	(--outform)
		case $1 in
		(cacerts|inspect) reply='(pem der p7)' ;;
		(csr) reply='(pem der)' ;;
		(csrattrs) reply='(text der b64)' ;;
		(*) reply=' ' ;;
		esac
		;;
	(*)
		reply=' '
		[[ $3 == FILE ]] && reply=_files
		[[ $3 == DIR ]] && reply='_path_files -/'
		;;
	esac
}

_est_options() { # EST APPLET
	local line name letter argument help reply spec
	local -a field specs
	for line in "${(@f)$(_call_program options ${(q)1} help --options ${(q)2} 2>/dev/null)}"; do
		field=("${(@ps:\t:)line}")
		name=$field[1] letter=$field[2] argument=$field[3] help=$field[4]
		[[ $name == --* ]] || continue
		help=${${${help//\\/\\\\}//\[/\\[}//\]/\\]}
		spec="[$help]"
		if [[ $argument == \[* ]]; then # only = can give it
			specs+=("*$name=-$spec::${${argument#\[=}%\]}: ")
		elif [[ -n $argument ]]; then
			_est_action $2 $name $argument
			specs+=("*$name=$spec:${argument//:/\\:}:$reply")
			[[ -n $letter ]] && specs+=("*$letter+$spec:${argument//:/\\:}:$reply")
		else
			specs+=("*$name$spec")
			[[ -n $letter ]] && specs+=("*$letter$spec")
		fi
	done
	[[ $(_call_program usage ${(q)1} help ${(q)2} 2>/dev/null) == *"[OPTIONS]"*FILE...* ]] &&
		specs+=('*:file:_files')
	_arguments -s -S : $specs
}

_est_applets() { # EST [WORD...]
	local -a names
	names=(${(f)"$(_call_program applets ${(q)1} --list 2>/dev/null)"})
	shift
	compadd "$@" -a names
}

_est() {
	local est=$words[1] applet
	if [[ ${est:t} == est-* ]]; then
		applet=${${est:t}#est-}
		est=${est%-$applet}
		if [[ -z ${(M)${(f)"$(_call_program applets ${(q)est} --list 2>/dev/null)"}:#$applet} ]]; then
			_default
			return
		fi
		_est_options $est $applet
		return
	fi
	if (( CURRENT == 2 )); then
		if [[ $PREFIX == -* ]]; then
			compadd -- --help --install --list --version
		else
			_est_applets $est
			compadd help
		fi
		return
	fi
	applet=$words[2]
	case $applet in
	(help)
		(( CURRENT == 3 )) && compadd -- exit-codes --options
		[[ $CURRENT == 3 || $words[3] == --options ]] && _est_applets $est
		;;
	(--install)
		_files -/
		;;
	(-*) ;;
	(*)
		shift words
		(( CURRENT-- ))
		_est_options $est $applet
		;;
	esac
}

_est "$@"
