//! Rebuilds when a migration is added: `sqlx::migrate!` only tracks the files that were there before.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
