//! What the engine costs, without a store: `cargo bench --bench engine`, or one of it with `BENCH=identity`.

#[path = "../common/mod.rs"]
mod common;
mod identity;
mod ingredients;
mod word_count;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if common::wanted("identity") {
        identity::run();
    }
    if common::wanted("wordcount") {
        word_count::run();
    }
}
