#!/usr/bin/env bash
# Stops the frontend that runs on the data directory of conf/fe.conf.
#
# Usage: stop_fe.sh [-g|--graceful] [--timeout SECONDS]
#
# Leadership is handed over in any case; with --graceful, statements that run may end. Whatever has
# not stopped after the timeout is killed.
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/fe_env.sh"
exec "$program" stop "$@"
