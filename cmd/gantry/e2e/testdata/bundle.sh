#!/usr/bin/env bash
# bundles/telemetry.yaml by hand: the same machines, software, settings and
# readiness probes, everything at once that does not have to wait. It prints
# the seconds from start to ready, then ends all that it started.
#   bundle.sh DIRECTORY BASE POSTGRESQL-LAYER CLIENT-LAYER GANTRY
set -euo pipefail
dir=$1 base=$2 pglayer=$3 clientlayer=$4 gantry=$5
if [ -z "${BUNDLE_INSIDE:-}" ]; then
	exec env BUNDLE_INSIDE=1 unshare --mount --pid --net --fork --kill-child --mount-proc "$0" "$@"
fi
start=$EPOCHREALTIME
net=10.213.77
mkdir -p /run "$dir"
mount -t tmpfs tmpfs /run
ip link set lo up
ip link add br0 type bridge
ip addr add $net.1/24 dev br0
ip link set br0 up
ip netns add first # makes the directory that all share

# machine NUMBER LAYER makes the root and the network namespace of a machine.
machine() {
	local n=$1 at=$dir/$1
	mkdir -p "$at/upper" "$at/work" "$at/root"
	mount -t overlay overlay -o "lowerdir=$2:$base,upperdir=$at/upper,workdir=$at/work" "$at/root"
	mount -t proc proc "$at/root/proc"
	mount --rbind /dev "$at/root/dev"
	mount -t tmpfs tmpfs "$at/root/run"
	mkdir -p "$at/root/usr/lib/gantry"
	touch "$at/root/usr/lib/gantry/gantry"
	mount --bind "$gantry" "$at/root/usr/lib/gantry/gantry"
	ip netns add "m$n"
	ip link add "v$n" type veth peer name eth0 netns "m$n"
	ip link set "v$n" master br0 up
	ip -n "m$n" addr add "$net.1$n/24" dev eth0
	ip -n "m$n" link set eth0 up
	ip -n "m$n" link set lo up
	ip -n "m$n" route add default via $net.1
}
# enter NUMBER USER COMMAND... runs a command in a machine.
enter() {
	local n=$1 user=$2
	shift 2
	ip netns exec "m$n" chroot --userspec="$user:" "$dir/$n/root" /usr/bin/env -i LANG=C.UTF-8 PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
# ok URL succeeds once it answers 200.
ok() { until curl -fs -m 2 -o /dev/null "$1"; do sleep 0.1; done; }

postgresql() {
	local n=$1 a=$net.1$1 partners=() p
	machine "$n" "$pglayer"
	for p in 0 1 2; do [ "$p" = "$n" ] || partners+=("$net.1$p:2222"); done
	local at=$dir/$n/root
	mkdir -p "$at/srv/pg" "$at/run/pg"
	cat >"$at/srv/pg/patroni.yml" <<-YML
		scope: postgresql
		name: postgresql-$n
		restapi: {listen: "$a:8008", connect_address: "$a:8008", authentication: {username: patroni, password: p}}
		raft: {data_dir: /srv/pg/raft, self_addr: "$a:2222", bind_addr: "$a:2222", password: p, partner_addrs: [$(IFS=,; echo "${partners[*]}")]}
		bootstrap:
		  dcs: {ttl: 20, loop_wait: 5, retry_timeout: 5, primary_start_timeout: 0, failsafe_mode: true, maximum_lag_on_failover: 1048576,
		    synchronous_mode: true, synchronous_node_count: 1,
		    postgresql: {use_pg_rewind: true, use_slots: true, parameters: {wal_level: logical, hot_standby: "on", max_wal_senders: 20,
		      max_replication_slots: 20, wal_log_hints: "on", wal_keep_size: 128MB, password_encryption: scram-sha-256, shared_buffers: 32MB}}}
		  initdb: [{encoding: UTF8}, {locale: C.UTF-8}, data-checksums, {auth-host: scram-sha-256}, {auth-local: peer}]
		postgresql:
		  listen: "$a:5432"
		  connect_address: "$a:5432"
		  bin_dir: /usr/lib/postgresql/15/bin
		  data_dir: /srv/pg/data
		  pgpass: /srv/pg/pgpass
		  use_unix_socket: true
		  create_replica_methods: [basebackup]
		  basebackup: [{checkpoint: fast}]
		  authentication: {superuser: {username: operator, password: p}, replication: {username: replication, password: p}, rewind: {username: rewind, password: p}}
		  parameters: {archive_mode: "on", archive_command: /bin/true, archive_timeout: 60, unix_socket_directories: /run/pg}
		  pg_hba: ["local all operator peer map=op", "local all all peer map=op", "host replication replication $net.0/24 scram-sha-256", "host all all $net.0/24 scram-sha-256"]
		  pg_ident: ["op postgres operator"]
	YML
	chown -R --reference="$at/var/lib/postgresql" "$at/srv/pg" "$at/run/pg"
	chmod 700 "$at/srv/pg"
	enter "$n" postgres patroni /srv/pg/patroni.yml >"$dir/$n/log" 2>&1 &
	ok "http://$a:8008/health"
}
# database waits for the primary and makes what a client needs.
database() {
	local n=""
	while [ -z "$n" ]; do
		for p in 0 1 2; do curl -fs -m 2 -o /dev/null "http://$net.1$p:8008/primary" && n=$p && break; done || sleep 0.1
	done
	PGPASSWORD=p psql -XAtq "host=$net.1$n user=operator dbname=postgres" -c "CREATE ROLE telemetry LOGIN PASSWORD 'p'" -c "CREATE DATABASE telemetry OWNER telemetry"
}
client() {
	local a=$net.13 at=$dir/3/root
	machine 3 "$clientlayer"
	mkdir -p "$at/srv/t" "$at/srv/ledger"
	{
		printf 'global\n  maxconn 2000\ndefaults\n  mode tcp\n  timeout connect 3s\n  timeout client 24h\n  timeout server 24h\n  timeout check 3s\nlisten primary\n  bind %s:5433\n  option httpchk OPTIONS /primary\n  http-check expect status 200\n  default-server inter 1s fastinter 250ms downinter 500ms fall 2 rise 1 on-marked-down shutdown-sessions\n' "$a"
		for p in 0 1 2; do echo "  server p$p $net.1$p:5432 check port 8008"; done
	} >"$at/srv/t/haproxy.cfg"
	printf '"telemetry" "p"\n' >"$at/srv/t/users.txt"
	printf '[databases]\n* = host=%s port=5433\n[pgbouncer]\nlisten_addr = %s\nlisten_port = 6432\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = /srv/t/users.txt\npool_mode = session\nserver_login_retry = 0.25\nserver_connect_timeout = 3\n' "$a" "$a" >"$at/srv/t/pgbouncer.ini"
	echo p >"$at/srv/t/password"
	printf 'source: telemetry/0\nspacecraft: 1\napids: [100, 101, 102]\nrate: 100\nledger: /srv/ledger/ledger\nlisten: "%s:9464"\narchive:\n  endpoints: ["%s:6432"]\n  user: telemetry\n  password-file: /srv/t/password\n  database: telemetry\n' "$a" "$a" >"$at/srv/t/telemetry.yaml"
	chown -R nobody "$at/srv/ledger"
	chmod -R a+rX "$at/srv/t"
	database
	enter 3 haproxy haproxy -W -db -f /srv/t/haproxy.cfg >"$dir/3/haproxy.log" 2>&1 &
	enter 3 postgres pgbouncer /srv/t/pgbouncer.ini >"$dir/3/pgbouncer.log" 2>&1 &
	until (exec 3<>"/dev/tcp/$a/6432") 2>/dev/null; do sleep 0.1; done
	enter 3 nobody /usr/lib/gantry/gantry charm-exec telemetry run serve --config /srv/t/telemetry.yaml >"$dir/3/telemetry.log" 2>&1 &
	ok "http://$a:9464/healthz"
}

waiting=()
for n in 0 1 2; do
	postgresql $n &
	waiting+=($!)
done
client &
waiting+=($!)
for p in "${waiting[@]}"; do wait "$p"; done
awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f\n", b - a }'
