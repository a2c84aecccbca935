# SPDX-License-Identifier: ISC
#
# Completion of ltclient(1) for bash; goes where bash-completion looks for it,
# or is sourced.

# The tunnels of the configuration files that are read anyhow.
_ltclient_tunnels() {
	sed -n 's/^[[:blank:]]*tunnel[[:blank:]]*"\([^"]*\)".*/\1/p' \
	    /etc/localtunnel/ltclient.conf \
	    "${XDG_CONFIG_HOME:-$HOME/.config}/localtunnel/ltclient.conf" \
	    2>/dev/null
}

_ltclient() {
	local current=${COMP_WORDS[COMP_CWORD]}
	local previous=${COMP_WORDS[COMP_CWORD - 1]}
	local words='http tls tcp start diagnose'
	local options='
	    -S --server --host --to
	    --ca
	    --insecure
	    --proxy
	    -t --token
	    -s --subdomain
	    -n --name
	    --fallback
	    --group
	    --domain
	    -r --remote-port
	    -p --port
	    -l --local-host
	    --local-https
	    --local-ca
	    --local-cert
	    --local-key
	    --allow-invalid-cert
	    --proxy-protocol
	    --auth
	    --allow
	    --deny
	    --host-header
	    -o --open
	    --print-requests
	    --all
	    --json
	    --no-reconnect
	    --processes
	    -c --config
	    -q --quiet
	    -v --verbose
	    -V --version
	    -h --help'

	case $previous in
	--ca | --local-ca | --local-cert | --local-key | -c | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	-l | --local-host)
		mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
		return
		;;
	--proxy-protocol)
		words='1 2' options=''
		;;
	--host-header)
		words='rewrite' options=''
		;;
	-[Stsnrp] | --server | --host | --to | --proxy | --token | --subdomain | \
	    --name | --group | --domain | --remote-port | --port | --auth | --allow | \
	    --deny | --processes)
		COMPREPLY=()
		return
		;;
	esac
	case " ${COMP_WORDS[*]:1:COMP_CWORD-1} " in
	*' start '*) words=$(_ltclient_tunnels) ;;
	esac
	case $current in
	-*) words=$options ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _ltclient ltclient
