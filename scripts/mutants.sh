#!/usr/bin/env bash
# Takes one rule after another out of a copy of the last commit, and lists the tests that notice.
#
#   scripts/mutants.sh [NAME...]      all of tests/mutants/*.patch, or those named
#
# Fails when a mutant survives, or when a patch no longer applies.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tree=$root/target/mutants/tree
cleanup() {
  git worktree remove --force "$tree" 2>/dev/null || true
}
trap cleanup EXIT
cleanup
git worktree prune
git worktree add --quiet --detach "$tree" HEAD

# A folder of its own: in a shared one the checkout's next build would take a mutant for itself. Fewer schedules do, each
# mutant has to be found often.
export CARGO_TARGET_DIR=$root/target/mutants/target RUST_BACKTRACE=0 SQUALL_SCHEDULES=${SQUALL_SCHEDULES:-200}
cargo=${CARGO:-cargo}

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for patch in tests/mutants/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
status=0
for name in "${names[@]}"; do
  patch=$root/tests/mutants/$name.patch
  git -C "$tree" checkout --quiet -- .
  if ! git -C "$tree" apply "$patch"; then
    echo "$name: the patch does not apply any more; make it anew" >&2
    status=1
    continue
  fi
  sed -n '/^diff /q; s/^/# /p' "$patch"
  log=$root/target/mutants/$name.log
  # The tests that need no server, and those of the stores where the patch is about a store.
  tests=(--lib)
  if grep -q '^diff .*/store/' "$patch"; then tests+=(--test store_conformance); fi
  if (cd "$tree" && "$cargo" test --workspace --no-fail-fast "${tests[@]}") >"$log" 2>&1; then
    echo "$name: SURVIVED"
    status=1
  elif grep -q '^error: could not compile' "$log"; then
    grep -m 3 '^error' "$log" >&2
    echo "$name: does not compile; make the patch anew" >&2
    status=1
  else
    echo "$name: found by"
    sed -n 's/^test \(.*\) \.\.\. FAILED$/  \1/p' "$log" | sort -u
  fi
done
exit $status
