#!/usr/bin/env bash
# Fuzzes whatever reads bytes of strangers, each target for FUZZ_SECONDS (default 600): nothing found is silence and
# status 0. `scripts/fuzz.sh TARGET` runs one. What is new in the corpus stays under target/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-600}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(decode_record split_body cursor_token query_string)

tools=$PWD/target/tools
if [ ! -x "$tools/bin/cargo-fuzz" ]; then
  cargo install --quiet --locked --root "$tools" cargo-fuzz
fi

for target in "${targets[@]}"; do
  found=target/fuzz/corpus/$target
  mkdir -p "$found"
  echo "==> $target, $seconds s"
  # The decoders have no unsafe code for a sanitizer to watch; without one the stable compiler is enough.
  RUSTC_BOOTSTRAP=1 "$tools/bin/cargo-fuzz" run --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none \
    "$target" "$found" "tests/fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=512 -timeout=5 -print_final_stats=1
done
