#!/usr/bin/env bash
# Starts a frontend with conf/fe.conf.
#
# Usage: start_fe.sh [--helper host:port[,host:port...]] [--daemon] [--host_type IP|FQDN]
#
# --helper is needed at the first start only, by every frontend but the first one of a cluster.
# With --daemon it returns once the frontend serves, or tells why it does not. All that
# `quorate start` takes may be given.
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/fe_env.sh"
exec "$program" start "$@"
