# SPDX-License-Identifier: MIT
# fish completion for est(1) and its links est-APPLET.  Applets and options are asked of the binary
# when the key is pressed; only the values of some options stand here.

# What the option can be set to, if that is a short list.
function __est_values --argument-names applet option
    switch $option
        case --new-key
            printf '%s\n' ec:p256 ec:p384 ec:p521 rsa:2048 rsa:3072 rsa:4096 rsa:8192 ed25519 ed448
        case --hash
            printf '%s\n' sha256 sha384 sha512
        case --tls-min
            printf '%s\n' 1.2 1.3
        case --pop
            printf '%s\n' auto off require tls-exporter tls-unique
        case --compat
            printf '%s\n' cte pem oneline
        case --csrattrs
            printf '%s\n' auto require ignore
        case --color
            printf '%s\n' auto always never
        case --auth
            printf '%s\n' auto basic digest bearer none
        case --clock-floor
            printf '%s\n' on off
        case --key-usage
            printf '%s\n' digitalSignature nonRepudiation keyEncipherment dataEncipherment keyAgreement
        case --ext-key-usage --purpose
            printf '%s\n' serverAuth clientAuth codeSigning emailProtection timeStamping OCSPSigning
        case --outform
            switch $applet
                case cacerts inspect
                    printf '%s\n' pem der p7
                case csr
                    printf '%s\n' pem der
                case csrattrs
                    printf '%s\n' text der b64
            end
    end
end

# Completes the argument of an option; fails when the option takes none.
function __est_value --argument-names est applet option current prefix
    for line in ($est help --options $applet 2>/dev/null)
        set -l field (string split \t -- $line)
        if contains -- $option $field[1..2]
            test -n "$field[3]"; or return 1
            # An argument in brackets is one that only = can give.
            if string match -q '[[]*' -- $field[3]; and test -z "$prefix"
                return 1
            end
            set -l values (__est_values $applet $field[1])
            if set -q values[1]
                printf '%s\n' $prefix$values
            else if test "$field[3]" = FILE
                for path in (__fish_complete_path "$current")
                    printf '%s\n' $prefix$path
                end
            else if test "$field[3]" = DIR
                for path in (__fish_complete_directories "$current" '')
                    printf '%s\n' $prefix$path
                end
            end
            return 0
        end
    end
    return 1
end

function __est_applet --argument-names est applet current previous
    if string match -qr '^--[^=]*=' -- "$current"
        set -l part (string split -m 1 = -- $current)
        __est_value $est $applet $part[1] "$part[2]" "$part[1]="
        return
    end
    if string match -qr '^-' -- "$previous"; and not string match -q '*=*' -- "$previous"
        __est_value $est $applet $previous "$current" ''; and return
    end
    if string match -qr '^-' -- "$current"
        for line in ($est help --options $applet 2>/dev/null)
            set -l field (string split \t -- $line)
            printf '%s\t%s\n' $field[1] $field[4]
            test -n "$field[2]"; and printf '%s\t%s\n' $field[2] $field[4]
        end
    else if string match -q '*FILE*' -- ($est help $applet 2>/dev/null)[1]
        __fish_complete_path "$current"
    end
end

function __est_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l est $words[1]
    set -l applet (string replace -rf '^(?:.*/)?est-' '' -- $est)
    if test -n "$applet"
        __est_applet (string replace -r -- "-$applet\$" '' $est) $applet "$current" "$words[-1]"
    else if test (count $words) -eq 1
        if string match -qr '^-' -- "$current"
            printf '%s\n' --help --install --list --version
        else
            $est --list 2>/dev/null
            echo help
        end
    else if test "$words[2]" = help
        if test (count $words) -eq 2
            printf '%s\n' exit-codes --options
        end
        if test (count $words) -eq 2; or test "$words[3]" = --options
            $est --list 2>/dev/null
        end
    else if test "$words[2]" = --install
        __fish_complete_directories "$current"
    else if not string match -qr '^-' -- "$words[2]"
        set -l previous $words[-1]
        test (count $words) -eq 2; and set previous ''
        __est_applet $est $words[2] "$current" "$previous"
    end
end

complete -c est -f -a '(__est_complete)'
for __est_name in (est --list 2>/dev/null)
    complete -c est-$__est_name -f -a '(__est_complete)'
end
set -e __est_name
