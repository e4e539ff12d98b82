#!/usr/bin/env bash
# Checks a running query service against the document that it publishes: no answer of status 5xx, none that the document
# does not describe. Usage: scripts/schemathesis.sh URL [EXAMPLES]   such as http://127.0.0.1:8081 200
set -euo pipefail
cd "$(dirname "$0")/.."

url=${1:?usage: $0 URL [EXAMPLES]}
examples=${2:-200}
version=4.32.5

tools=$PWD/target/tools/schemathesis-$version
# Marked as whole last: an installation that was cut off is made anew.
if [ ! -e "$tools/whole" ]; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
  touch "$tools/whole"
fi

# It keeps what it found where it runs.
mkdir -p target/schemathesis && cd target/schemathesis
exec "$tools/bin/schemathesis" run "$url/openapi.json" --url "$url" --no-color --seed "${SEED:-1}" \
  --max-examples "$examples" --request-timeout 10 \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
