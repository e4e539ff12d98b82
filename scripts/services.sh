#!/usr/bin/env bash
# Kafka, Redis and MariaDB for development. Usage: scripts/services.sh up|down|status
# Data, logs and process ids are kept under .services. Ports: SQUALL_KAFKA_PORT (29092, and the next one for
# its controller), SQUALL_REDIS_PORT (26379), SQUALL_MYSQL_PORT (23306).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.services
kafka_home=${SQUALL_KAFKA_HOME:-$root/.cache/kafka}
kafka_port=${SQUALL_KAFKA_PORT:-29092}
redis_port=${SQUALL_REDIS_PORT:-26379}
mysql_port=${SQUALL_MYSQL_PORT:-23306}
servers="kafka redis mysql"
patience=90
PATH=$PATH:/usr/sbin:/usr/local/sbin

pid_of() { cat "$home/$1/pid" 2>/dev/null || true; }

# A process id may be somebody else's after a restart of the machine: ours works in its own directory.
runs() {
  local pid
  pid=$(pid_of "$1")
  [ -n "$pid" ] || return 1
  case $(readlink "/proc/$pid/cwd" 2>/dev/null) in
    "$home/$1" | "$home/$1"/*) return 0 ;;
    *) return 1 ;;
  esac
}

port_of() {
  case $1 in
    kafka) echo "$kafka_port" ;;
    redis) echo "$redis_port" ;;
    mysql) echo "$mysql_port" ;;
  esac
}

# Answers means: the port takes connections, and the server speaks where it speaks first or can be asked.
answers() {
  case $1 in
    kafka) grep -q 'Kafka Server started' "$home/kafka/log" 2>/dev/null && connects "$kafka_port" ;;
    redis) [ "$(say "$redis_port" PING)" = +PONG ] ;;
    mysql) connects "$mysql_port" && [ -S "$home/mysql/socket" ] ;;
  esac
}

connects() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

say() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" && printf '%s\r\n' "$2" >&3 && IFS= read -r -t 2 line <&3 && printf '%s' "${line%$'\r'}"
  ) 2>/dev/null || true
}

need() {
  command -v "$1" >/dev/null || {
    echo "$1 is not installed; run \`make install-test\`" >&2
    exit 1
  }
}

launch() {
  local name=$1
  shift
  : >"$home/$name/log"
  (cd "$home/$name" && exec nohup setsid "$@" >>"$home/$name/log" 2>&1 </dev/null) &
  echo $! >"$home/$name/pid"
}

start_kafka() {
  need java
  "$root/scripts/kafka.sh"
  local dir=$home/kafka controller=$((kafka_port + 1))
  mkdir -p "$dir/data"
  cat >"$dir/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$kafka_port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$kafka_port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
END
  cat >"$dir/log4j2.properties" <<'END'
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c{1})%n
END
  local java=java
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then java=$JAVA_HOME/bin/java; fi
  local run=("$java" -Xms64m -Xmx512m -XX:+UseSerialGC "-Dlog4j2.configurationFile=$dir/log4j2.properties"
    -cp "$kafka_home/libs/*")
  if [ ! -e "$dir/data/meta.properties" ]; then
    "${run[@]}" kafka.tools.StorageTool format -t c3F1YWxsLWRldi0wMDAwMQ -c "$dir/server.properties" \
      >"$dir/format.log" 2>&1 || {
      tail -n 20 "$dir/format.log" >&2
      exit 1
    }
  fi
  launch kafka "${run[@]}" kafka.Kafka "$dir/server.properties"
}

start_redis() {
  need redis-server
  mkdir -p "$home/redis/data"
  launch redis redis-server --port "$redis_port" --bind 127.0.0.1 --daemonize no \
    --dir "$home/redis/data" --appendonly yes --save ""
}

start_mysql() {
  need mariadbd
  local dir=$home/mysql user=()
  [ "$(id -u)" = 0 ] && user=(--user=root)
  if [ ! -d "$dir/data/mysql" ]; then
    rm -rf "$dir/data"
    mkdir -p "$dir/data"
    mariadb-install-db --no-defaults "${user[@]}" --datadir="$dir/data" --skip-test-db \
      --auth-root-authentication-method=normal >"$dir/format.log" 2>&1 || {
      tail -n 20 "$dir/format.log" >&2
      exit 1
    }
  fi
  rm -f "$dir/socket"
  echo 'create database if not exists user_behaviour character set utf8mb4 collate utf8mb4_bin;' >"$dir/init.sql"
  launch mysql mariadbd --no-defaults "${user[@]}" --port="$mysql_port" --bind-address=127.0.0.1 \
    --skip-networking=0 --skip-name-resolve --datadir="$dir/data" --socket="$dir/socket" \
    --pid-file="$dir/data/mariadbd.pid" --init-file="$dir/init.sql"
}

up() {
  local name deadline
  for name in $servers; do
    mkdir -p "$home/$name"
    runs "$name" && continue
    if connects "$(port_of "$name")"; then
      echo "$name: port $(port_of "$name") is in use by something else" >&2
      exit 1
    fi
    "start_$name"
  done
  deadline=$((SECONDS + patience))
  for name in $servers; do
    until answers "$name"; do
      if ! runs "$name" || [ $SECONDS -ge $deadline ]; then
        echo "$name does not start; the end of $home/$name/log:" >&2
        tail -n 20 "$home/$name/log" >&2
        exit 1
      fi
      sleep 0.1
    done
  done
  cat <<END
Kafka   127.0.0.1:$kafka_port
Redis   redis://127.0.0.1:$redis_port/0
MariaDB mysql://root@127.0.0.1:$mysql_port/user_behaviour

On the default ports \`--profile cluster\` finds them. In a configuration file:

[broker]
kind = "kafka"

[broker.kafka]
bootstrap = "127.0.0.1:$kafka_port"

[timelines]
kind = "redis"

[timelines.redis]
url = "redis://127.0.0.1:$redis_port/0"

[rows]
kind = "mysql"

[rows.mysql]
url = "mysql://root@127.0.0.1:$mysql_port/user_behaviour"
END
}

down() {
  local name pid deadline
  for name in $servers; do
    runs "$name" && kill "$(pid_of "$name")"
  done
  deadline=$((SECONDS + 30))
  for name in $servers; do
    while runs "$name"; do
      if [ $SECONDS -ge $deadline ]; then
        echo "$name does not stop; killing it" >&2
        kill -9 "$(pid_of "$name")"
        deadline=$((SECONDS + 5))
      fi
      sleep 0.1
    done
    rm -f "$home/$name/pid"
  done
}

status() {
  local name all=0
  for name in $servers; do
    if runs "$name" && answers "$name"; then
      echo "$name up, port $(port_of "$name"), process $(pid_of "$name")"
    else
      echo "$name down"
      all=1
    fi
  done
  return $all
}

case ${1:-} in
  up | down | status) "$1" ;;
  *)
    echo "usage: $0 up|down|status" >&2
    exit 2
    ;;
esac
