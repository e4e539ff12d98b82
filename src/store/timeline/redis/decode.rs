//! What the server answers, as what the contract gives back.

use super::super::entry::Bounds;
use super::super::{Latest, LineProfile, Profile, StoredEntry, Timeline, Whole};
use crate::store::StoreError;

pub(super) type Bytes = Vec<u8>;

/// The answer to a read: the mark, then four values for each entry.
pub(super) fn timeline(values: Vec<Bytes>) -> Result<Timeline, StoreError> {
    let mut entries = Vec::with_capacity(values.len() / 4);
    let mut values = values.into_iter();
    let whole = values.next().map_or(Whole::Unknown, |mark| whole(&mark));
    while let (Some(line), Some(id), Some(at), Some(body)) =
        (values.next(), values.next(), values.next(), values.next())
    {
        entries.push(StoredEntry { line: owned(line)?, id: owned(id)?, at_ms: number(&at)?, body });
    }
    Ok(Timeline { entries, whole })
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
    owned(bytes.to_vec())
}

fn owned(bytes: Bytes) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| unreadable("a text is not utf-8"))
}

fn unreadable(reason: &str) -> StoreError {
    StoreError::BadRow { store: "redis", reason: format!("{reason}; another program writes under this prefix") }
}
