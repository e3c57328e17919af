# Sourced by start_fe.sh and stop_fe.sh: finds the installation, the program and the configuration.
#
#   home      QUORATE_HOME or STARROCKS_HOME, else the folder above this one
#   program   quorate beside these scripts, in home, in home/bin, on the PATH, or built in home/target
#   conf      QUORATE_CONF, else home/conf/fe.conf if it is there
#
# Keys of the configuration in upper case are exported, as StarRocks' scripts do: LOG_DIR, PID_DIR.
# Relative paths, those of the configuration too, begin at home.

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
home=${QUORATE_HOME:-${STARROCKS_HOME:-$(dirname "$here")}}
export QUORATE_HOME=$home STARROCKS_HOME=$home

find_program() {
    local built=${CARGO_TARGET_DIR:-$home/target} candidate
    for candidate in "$here/quorate" "$home/quorate" "$home/bin/quorate" "$(command -v quorate)" \
        "$built/release/quorate" "$built/debug/quorate"; do
        if [ -f "$candidate" ] && [ -x "$candidate" ]; then
            echo "$candidate"
            return
        fi
    done
    echo "the program quorate is neither in $here or $home nor on the PATH" >&2
    return 1
}

# Exports KEY = value lines; ${NAME} in a value stands for a variable, once.
export_keys() {
    local line key value expanded
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line =~ ^[[:space:]]*([A-Z_][A-Z0-9_]*)[[:space:]]*=[[:space:]]*(.*[^[:space:]])[[:space:]]*$ ]] || continue
        key=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]} expanded=
        value=${value#\"} value=${value%\"}
        while [[ $value =~ ^([^$]*)\$\{([A-Za-z_][A-Za-z0-9_]*)\}(.*)$ ]]; do
            expanded+=${BASH_REMATCH[1]}${!BASH_REMATCH[2]-}
            value=${BASH_REMATCH[3]}
        done
        export "$key=$expanded$value"
    done <"$1"
}

program=$(find_program)
if [ -z "${QUORATE_CONF:-}" ] && [ -f "$home/conf/fe.conf" ]; then
    export QUORATE_CONF=$home/conf/fe.conf
fi
if [ -n "${QUORATE_CONF:-}" ]; then
    export_keys "$QUORATE_CONF"
fi
cd "$home"
