#!/usr/bin/env bash
# Installs what a bare Debian lacks. Usage: scripts/install.sh demo|test
#   demo  what building squall needs: a C compiler and the libraries under the Kafka client
#   test  that, and the servers that the tests start: Redis, MariaDB, Java and Maven for Kafka, Chromium,
#         Python for schemathesis, strace to see what is synced, curl for the lines that the demo prints
# Does nothing, quickly, when all is there.
set -euo pipefail

what=${1:-}
case $what in
  demo | test) ;;
  *)
    echo "usage: $0 demo|test" >&2
    exit 2
    ;;
esac

missing=()

has_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
need_package() { has_package "$1" || missing+=("$1"); }
# A program may come from elsewhere than Debian.
need_program() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }

java_version() {
  local java=java
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then java=$JAVA_HOME/bin/java; fi
  "$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1
}

if ! command -v dpkg-query >/dev/null; then
  echo "scripts/install.sh knows Debian only; elsewhere install by hand: a C and C++ compiler, make," \
    "pkg-config, OpenSSL, Cyrus SASL and zlib headers$([ "$what" = test ] && echo ', redis-server, mariadb-server, Java 17, Maven, Chromium, Python with venv, strace, curl')" >&2
  exit 1
fi

need_program cc gcc
need_program c++ g++
need_program make make
need_program pkg-config pkg-config
for package in libssl-dev libsasl2-dev zlib1g-dev; do need_package "$package"; done

if [ "$what" = test ]; then
  need_program setpriv util-linux
  need_program redis-server redis-server
  need_program mariadbd mariadb-server
  need_program mvn maven
  need_program chromium chromium
  need_program strace strace
  need_program curl curl
  has_package python3-venv || missing+=(python3-venv)
  version=$(java_version || true)
  [ "${version:-0}" -ge 17 ] || missing+=(default-jdk-headless)
fi

[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ]; then
  root=()
elif sudo -n true 2>/dev/null; then
  root=(sudo -n)
else
  echo "missing: ${missing[*]}" >&2
  echo "run as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

# Installing a server starts it, unless the policy forbids it. A policy that is there is somebody's own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
  "${root[@]}" chmod 755 $policy
  trap '"${root[@]}" rm -f $policy' EXIT
fi

echo "installing ${missing[*]}"
"${root[@]}" apt-get -qq update
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
