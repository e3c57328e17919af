#!/usr/bin/env bash
# Shows the main job on a real cluster: three frontends, a MySQL client, the death of a leader, and
# the replacement of the catalog under load. Prints what it does and what came back.
#
# Usage: xtask/demo.sh PROGRAM CATALOG_2.WASM
set -euo pipefail

program=$1
catalog_2=$2
work=$(mktemp -d)
base_port=${DEMO_BASE_PORT:-27000}
dev=
loop=

cleanup() {
    [ -z "$loop" ] || kill "$loop" 2>/dev/null || true
    [ -z "$dev" ] || kill -INT "$dev" 2>/dev/null || true
    for pid in $restarted; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
restarted=
trap cleanup EXIT

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
die() {
    printf 'demo: %s\n' "$*" >&2
    tail -n 5 "$work"/*/fe.log >&2 || true
    exit 1
}

# Ports of frontend N: for frontends, gRPC, MySQL, HTTP.
port() { echo $((base_port + 4 * ($1 - 1) + $2)); }
sql() { # frontend, statements
    mariadb --no-defaults -h 127.0.0.1 -P "$(port "$1" 2)" -u root --table -e "$2"
}
value() { # frontend, statement that gives one value
    mariadb --no-defaults -h 127.0.0.1 -P "$(port "$1" 2)" -u root --batch --skip-column-names -e "$2"
}
on() { # frontend, statements: shown and run
    printf 'mariadb[fe%s]> %s\n' "$1" "$2"
    sql "$1" "$2"
}
frontends() { # asked frontend
    on "$1" "SELECT Role, EditLogPort, Alive, Term, AppliedLsn, StateDigest, Module FROM quorate.frontends"
}
leader() { # asked frontend: the number of the leader
    local port
    port=$(value "$1" "SELECT EditLogPort FROM quorate.frontends WHERE Role = 'LEADER'")
    echo $(((port - base_port) / 4 + 1))
}
now_ms() { date +%s%3N; }

say "1. Three frontends, three processes of one program"
"$program" dev --frontends 3 --dir "$work" --base-port "$base_port" >"$work/dev.out" 2>&1 &
dev=$!
for _ in $(seq 600); do
    grep -q 'Ctrl-C' "$work/dev.out" && break
    kill -0 "$dev" 2>/dev/null || { cat "$work/dev.out"; die "the cluster did not start"; }
    sleep 0.1
done
grep -q 'Ctrl-C' "$work/dev.out" || die "the cluster is not whole after a minute"
sed "s#$work#DIR#" "$work/dev.out"

leader=$(leader 1)
follower=$((leader % 3 + 1))
other=$((follower % 3 + 1))

say "2. A MySQL client on a follower (frontend $follower)"
on "$follower" "CREATE DATABASE shop"
on "$follower" "CREATE TABLE shop.orders (id BIGINT NOT NULL, day DATE NOT NULL, total DECIMAL(10,2)) \
DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 4 PROPERTIES ('replication_num' = '1')"
on "$follower" "ALTER TABLE shop.orders ADD COLUMN note VARCHAR(64); DESC shop.orders"
printf '\nand at once on another frontend (%s):\n' "$other"
on "$other" "SET read_consistency = 'linearizable'; SELECT table_name, column_name, data_type FROM \
information_schema.columns WHERE table_schema = 'shop' ORDER BY ordinal_position"

say "3. Who leads, and who has applied what"
frontends "$follower"

say "4. kill -9 of the leader (frontend $leader)"
before=$(now_ms)
kill -9 "$(cat "$work/fe$leader/fe.pid")"
until sql "$follower" "CREATE DATABASE after_failover" >/dev/null 2>&1; do :; done
printf 'the next write through frontend %s was acknowledged %s ms after the kill\n' \
    "$follower" "$(($(now_ms) - before))"
frontends "$follower"
printf '\nfrontend %s starts again and catches up:\n' "$leader"
"$program" start --set meta_dir="$work/fe$leader/meta" \
    --set edit_log_port="$(port "$leader" 0)" --set rpc_port="$(port "$leader" 1)" \
    --set query_port="$(port "$leader" 2)" --set http_port="$(port "$leader" 3)" \
    >>"$work/fe$leader/fe.log" 2>&1 &
restarted="$restarted $!"
for _ in $(seq 300); do
    agreed=$(value "$follower" "SELECT count(*) = 3 AND count(DISTINCT AppliedLsn) = 1 FROM \
quorate.frontends WHERE Alive = 'true'" 2>/dev/null || echo 0)
    [ "$agreed" = 1 ] && break
    sleep 0.1
done
[ "$agreed" = 1 ] || die "the frontend did not catch up"
frontends "$follower"
digests=$(value "$follower" "SELECT count(DISTINCT StateDigest) FROM quorate.frontends")
[ "$digests" = 1 ] || die "frontends disagree at one LSN"
printf 'equal LSN, equal digest on all three\n'

say "5. A second catalog, activated while a client writes"
writes="$work/writes"
: >"$writes"
(
    number=0
    while :; do
        number=$((number + 1))
        if sql "$follower" "CREATE DATABASE w$number" >/dev/null 2>>"$work/errors"; then
            echo "$number" >>"$writes"
        else
            echo "w$number" >>"$work/failed"
        fi
    done
) &
loop=$!
addition="SELECT table_schema, table_name, columns FROM information_schema.table_summary WHERE table_schema = 'shop'"
printf 'before, the addition of catalog 2.0.0 is not there:\n'
on "$other" "$addition" 2>&1 || true
endpoints="127.0.0.1:$(port "$follower" 1)"
printf '$ quorate module --endpoints %s install %s\n' "$endpoints" "$(basename "$catalog_2")"
"$program" module --endpoints "$endpoints" install "$catalog_2"
on "$follower" "ACTIVATE MODULE 'catalog@2.0.0'"
for number in 1 2 3; do
    on "$number" "SET read_consistency = 'linearizable'; $addition"
done
count=$(wc -l <"$writes")
for _ in $(seq 300); do
    [ "$(wc -l <"$writes")" -ge $((count + 10)) ] && break
    sleep 0.1
done
kill "$loop"
wait "$loop" 2>/dev/null || true
loop=
[ ! -s "$work/failed" ] || { cat "$work/errors"; die "a statement of the loop failed"; }
printf 'the loop wrote %s times meanwhile; none failed\n' "$(wc -l <"$writes")"
on "$other" "SELECT Name, Version, State, ActiveSinceLsn, AcknowledgedBy FROM quorate.modules"
on "$other" "SHOW MODULE HISTORY"

say "done"
