//! What the server answers, as what the contract gives back.

use super::super::entry::{Bounds, MAX_AT_MS};
use super::super::{Latest, LineProfile, Profile, StoredEntry, Timeline, Whole};
use crate::store::StoreError;

pub(super) type Bytes = Vec<u8>;

/// The answer to a read: the mark, and all entries in one text, as the reading script documents.
pub(super) fn timeline(mark: &[u8], mut packed: &[u8]) -> Result<Timeline, StoreError> {
    let rest = &mut packed;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let lengths: [[u8; 4]; 3] = [head(rest)?, head(rest)?, head(rest)?];
        let [line, id, body] = lengths.map(|length| u32::from_le_bytes(length) as usize);
        let at_ms = time(f64::from_le_bytes(head(rest)?))?;
        let (line, id) = (text(part(rest, line)?)?, text(part(rest, id)?)?);
        entries.push(StoredEntry { line, id, at_ms, body: part(rest, body)?.to_vec() });
    }
    Ok(Timeline { entries, whole: whole(mark) })
}

/// A score that a time was written as.
fn time(score: f64) -> Result<i64, StoreError> {
    let whole = score.fract() == 0.0 && (0.0..=MAX_AT_MS as f64).contains(&score);
    whole.then_some(score as i64).ok_or_else(|| unreadable("a score is no time"))
}

/// The next bytes of `rest`, as many as are wanted.
fn head<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], StoreError> {
    let (head, behind) = rest.split_first_chunk().ok_or_else(|| unreadable("an entry is cut short"))?;
    *rest = behind;
    Ok(*head)
}

/// The next `bytes` of `rest`.
fn part<'a>(rest: &mut &'a [u8], bytes: usize) -> Result<&'a [u8], StoreError> {
    let (part, behind) = rest.split_at_checked(bytes).ok_or_else(|| unreadable("an entry is cut short"))?;
    *rest = behind;
    Ok(part)
}

/// The profile in the fields that the writing script documents. Days past the cut-off are left out: a write
/// removes them only when the newest day moves on. `run` is that of the server.
pub(super) fn profile(
    fields: Vec<(Bytes, Bytes)>,
    bounds: &Bounds,
    run: Option<&str>,
) -> Result<Option<Profile>, StoreError> {
    if fields.is_empty() {
        return Ok(None);
    }
    let newest = fields.iter().find(|(field, _)| field == b"d");
    let cutoff = match newest {
        Some((_, day)) => bounds.day_cutoff(number(day)?),
        None => return Err(unreadable("the newest day is missing")),
    };
    let mut profile = Profile::default();
    for (field, value) in fields {
        let (kind, name) = field.split_first().ok_or_else(|| unreadable("a field has no name"))?;
        match kind {
            b'l' => {
                let (first, last) = halves(&value)?;
                let line = line(&mut profile, name)?;
                (line.first_ms, line.last_ms) = (number(first)?, number(last)?);
            }
            b'm' => {
                let (at, id) = halves(&value)?;
                let (name, action) = prefixed(name)?;
                let latest = latest(&mut profile, name, action)?;
                (latest.at_ms, latest.id) = (number(at)?, text(id)?);
            }
            b'b' => {
                let (name, action) = prefixed(name)?;
                latest(&mut profile, name, action)?.body = value;
            }
            b'c' => {
                let (name, rest) = prefixed(name)?;
                let (action, day) = prefixed(rest)?;
                let day = number(day)?;
                if day > cutoff {
                    let days = line(&mut profile, name)?.counts.entry(text(action)?).or_default();
                    days.insert(day, number(&value)?.cast_unsigned());
                }
            }
            b'w' if value.get(1..) == run.map(str::as_bytes) => profile.whole = whole(&value),
            _ => {}
        }
    }
    Ok(Some(profile))
}

/// A mark of the server's present run.
fn whole(mark: &[u8]) -> Whole {
    match mark.first() {
        Some(b'a') => Whole::All,
        Some(b't') => Whole::Timelines,
        _ => Whole::Unknown,
    }
}

/// What stands behind `r`, `a` or `t`: see the script that writes.
pub(super) fn mark(whole: Whole, run: &str) -> String {
    let kind = match whole {
        Whole::All => "a",
        Whole::Timelines => "t",
        Whole::Unknown => "",
    };
    format!("{kind}{run}")
}

fn line<'a>(profile: &'a mut Profile, name: &[u8]) -> Result<&'a mut LineProfile, StoreError> {
    Ok(profile.lines.entry(text(name)?).or_default())
}

fn latest<'a>(profile: &'a mut Profile, name: &[u8], action: &[u8]) -> Result<&'a mut Latest, StoreError> {
    let empty = || Latest { at_ms: 0, id: String::new(), body: Vec::new() };
    Ok(line(profile, name)?.latest.entry(text(action)?).or_insert_with(empty))
}

/// A text behind its length of one byte, and the rest.
fn prefixed(name: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
    let split = name.split_first().and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
    split.ok_or_else(|| unreadable("the name of a field is cut short"))
}

fn halves(value: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
    let space = value.iter().position(|byte| *byte == b' ');
    space.map(|at| (&value[..at], &value[at + 1..])).ok_or_else(|| unreadable("a value has no second half"))
}

fn number(bytes: &[u8]) -> Result<i64, StoreError> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| unreadable("a number cannot be read"))
}

fn text(bytes: &[u8]) -> Result<String, StoreError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| unreadable("a text is not utf-8"))
}

fn unreadable(reason: &str) -> StoreError {
    StoreError::BadRow { store: "redis", reason: format!("{reason}; another program writes under this prefix") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn packed(entry: &StoredEntry) -> Vec<u8> {
        let texts = [entry.line.as_bytes(), entry.id.as_bytes(), &entry.body];
        let mut packed: Vec<u8> = texts.iter().flat_map(|text| (text.len() as u32).to_le_bytes()).collect();
        packed.extend((entry.at_ms as f64).to_le_bytes());
        texts.iter().for_each(|text| packed.extend_from_slice(text));
        packed
    }

    #[test]
    fn entries_are_read_as_they_were_packed_and_never_in_part() {
        let entry = |line: &str, id: &str, at_ms, body: &[u8]| StoredEntry {
            line: line.to_owned(),
            id: id.to_owned(),
            at_ms,
            body: body.to_vec(),
        };
        let entries = vec![entry("hotel", "b", 1 << 53, b"\xff\0"), entry("\u{9152}", "a", 0, b"")];
        let whole: Vec<u8> = entries.iter().flat_map(packed).collect();
        assert_eq!(timeline(b"arun", &whole).unwrap(), Timeline { entries: entries.clone(), whole: Whole::All });
        assert_eq!(timeline(b"", b"").unwrap(), Timeline::default());
        let first = packed(&entries[0]).len();
        for cut in (0..whole.len()).filter(|cut| ![0, first].contains(cut)) {
            assert!(timeline(b"", &whole[..cut]).is_err(), "{cut} bytes of {}", whole.len());
        }
        for score in [f64::INFINITY, f64::NAN, -1.0, 0.5, 1e300] {
            let mut other = packed(&entries[0]);
            other[12..20].copy_from_slice(&score.to_le_bytes());
            assert!(timeline(b"", &other).is_err(), "{score} is no time");
        }
        let mut broken = whole;
        // Within the second line's name.
        broken[first + 20] = 0xff;
        assert!(timeline(b"", &broken).is_err());
    }
}
