#!/usr/bin/env bash
# Brings the jars of a Kafka broker into .cache/kafka/libs. Does nothing when they are there.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
home=${SQUALL_KAFKA_HOME:-$root/.cache/kafka}
pom=$root/scripts/kafka/pom.xml

# The stamp is the pom itself: another version of Kafka is another pom.
if cmp -s "$pom" "$home/resolved.xml"; then
  exit 0
fi

command -v mvn >/dev/null || {
  echo "scripts/kafka.sh: maven is missing; run \`make install-test\`" >&2
  exit 1
}

mkdir -p "$home"
fresh=$(mktemp -d "$home/libs.XXXXXX")
log=$(mktemp "$home/maven.XXXXXX")
trap 'rm -rf "$fresh" "$log"' EXIT
echo "resolving Kafka into ${home#"$root"/}/libs"
if ! mvn -q -B -f "$pom" dependency:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$fresh" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  exit 1
fi
chmod 755 "$fresh"
rm -rf "$home/libs"
mv "$fresh" "$home/libs"
cp "$pom" "$home/resolved.xml"
