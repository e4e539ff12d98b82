//! Lines of the public Taobao data set.

use std::path::{Path, PathBuf};

const FILE: &str = "taobao-user-behaviour-6k.csv";
/// Directory that holds the file, when it is not `shared/data` beside or above the workspace.
const VARIABLE: &str = "SQUALL_SHARED_DATA";

/// The real lines, or generated ones of the same shape where the file is absent.
pub(crate) fn taobao_lines() -> Vec<String> {
    match find() {
        Some(path) => {
            let text = std::fs::read_to_string(&path).unwrap();
            text.lines().map(str::to_owned).collect()
        }
        None => {
            eprintln!(
                "{FILE} is absent (set {VARIABLE} to its directory): using generated lines of the same shape"
            );
            generated(6000)
        }
    }
}

fn find() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os(VARIABLE) {
        return Some(PathBuf::from(directory).join(FILE));
    }
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.map(|directory| directory.join("shared/data").join(FILE)).find(|path| path.is_file())
}

/// Users with bursts of behaviour over nine days, some of it twice in the same second.
pub(crate) fn generated(count: usize) -> Vec<String> {
    let mut state = 42_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut lines: Vec<String> = Vec::with_capacity(count);
    while lines.len() < count {
        let (user, mut seconds) = (1 + random(60), 1_511_539_200 + random(9 * 86_400));
        for _ in 0..=random(12) {
            let behaviour = ["pv", "pv", "pv", "pv", "pv", "cart", "fav", "buy"][random(8) as usize];
            let line = format!("{user},{},{},{behaviour},{seconds}", random(5_000_000), random(5000));
            if random(50) == 0 {
                lines.push(line.clone());
            }
            lines.push(line);
            seconds += random(90);
        }
    }
    lines.truncate(count);
    lines
}
