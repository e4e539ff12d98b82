//! A body into its records, without reading them.
//!
//! Pure: one pass over the bytes, no recursion, and no memory beside the list of records, whose length is bounded. What
//! is inside a record is not looked at beyond its brackets and texts; the decoder of records does that.

/// How the records of a body are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One object or an array; or lines, when an object is followed by another one on a line of its own.
    Json,
    /// One record a line.
    Lines,
}

/// Why a body has no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// There is nothing in it.
    #[error("the body has no records")]
    Empty,
    /// It has more than are allowed.
    #[error("the body has more than {0} records")]
    TooMany(usize),
    /// It is not what it should be.
    #[error("{expected} was expected at line {line}, column {column}")]
    Malformed {
        /// What should be there.
        expected: &'static str,
        /// The byte, counted from 0.
        offset: usize,
        /// The line, counted from 1.
        line: usize,
        /// The byte in the line, counted from 1.
        column: usize,
    },
}

/// The records of `body`, at most `max`, each as its bytes stand there.
///
/// A line that is no JSON, or an element of an array that is none but whose brackets and quotes match, is a record all
/// the same: the decoder says what is wrong with it.
///
/// ```
/// use user_behaviour::collector::split::{Framing, split};
///
/// assert_eq!(split(b"[{\"a\": [1]}, {}]", Framing::Json, 10).unwrap(), [&b"{\"a\": [1]}"[..], b"{}"]);
/// assert_eq!(split(b"{}\n\n{}\n", Framing::Lines, 10).unwrap(), [b"{}", b"{}"]);
/// ```
///
/// # Errors
/// The first thing for which the body as a whole is refused.
pub fn split(body: &[u8], framing: Framing, max: usize) -> Result<Vec<&[u8]>, SplitError> {
    let begin = skip_space(body, 0);
    let records = match (framing, body.get(begin)) {
        (_, None) => return Err(SplitError::Empty),
        (Framing::Lines, _) => lines(body, max)?,
        (Framing::Json, Some(b'[')) => elements(body, begin, max)?,
        (Framing::Json, Some(b'{')) => objects(body, begin, max)?,
        (Framing::Json, Some(_)) => return Err(malformed(body, begin, "an object or an array")),
    };
    if records.is_empty() { Err(SplitError::Empty) } else { Ok(records) }
}

/// One object, or lines that begin with one.
fn objects(body: &[u8], begin: usize, max: usize) -> Result<Vec<&[u8]>, SplitError> {
    let end = value_end(body, begin);
    let Some(end) = end else {
        // Its end is missing: what is wrong there is said by the decoder, unless lines follow that may be good.
        return if more_lines(body, begin) { lines(body, max) } else { Ok(vec![body[begin..].trim_ascii_end()]) };
    };
    let line_end = body[end..].iter().position(|byte| *byte == b'\n').map_or(body.len(), |at| end + at);
    let next = skip_space(body, end);
    match body.get(next) {
        None => Ok(vec![&body[begin..end]]),
        // Another record on a line of its own, so that the first is a whole line as well.
        Some(_) if next > line_end && !body[begin..end].contains(&b'\n') => lines(body, max),
        Some(_) => Err(malformed(body, next, "the end of the body, or a new line with one record in each")),
    }
}

/// Whether another object begins on a line behind the first.
fn more_lines(body: &[u8], begin: usize) -> bool {
    let mut rest = body[begin..].split(|byte| *byte == b'\n').skip(1);
    rest.any(|line| line.trim_ascii().first() == Some(&b'{') && line.trim_ascii().last() == Some(&b'}'))
}

fn lines(body: &[u8], max: usize) -> Result<Vec<&[u8]>, SplitError> {
    let mut records = Vec::new();
    for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        push(&mut records, line, max)?;
    }
    Ok(records)
}

/// The elements of the array that begins at `begin`, behind which nothing may stand.
fn elements(body: &[u8], begin: usize, max: usize) -> Result<Vec<&[u8]>, SplitError> {
    let mut records = Vec::new();
    let mut at = skip_space(body, begin + 1);
    if body.get(at) == Some(&b']') {
        return end_of_body(body, at + 1).map(|()| records);
    }
    loop {
        let end = value_end(body, at).filter(|end| *end > at);
        let end = end.ok_or_else(|| match body.get(at) {
            Some(b'{' | b'[' | b'"') => malformed(body, body.len(), "the end of a record and of the array"),
            _ => malformed(body, at, "a record"),
        })?;
        push(&mut records, &body[at..end], max)?;
        let next = skip_space(body, end);
        match body.get(next) {
            Some(b',') => at = skip_space(body, next + 1),
            Some(b']') => return end_of_body(body, next + 1).map(|()| records),
            _ => return Err(malformed(body, next, "`,` or `]`")),
        }
    }
}

fn push<'a>(records: &mut Vec<&'a [u8]>, record: &'a [u8], max: usize) -> Result<(), SplitError> {
    if records.len() == max {
        return Err(SplitError::TooMany(max));
    }
    records.push(record);
    Ok(())
}

fn end_of_body(body: &[u8], at: usize) -> Result<(), SplitError> {
    let at = skip_space(body, at);
    if at == body.len() { Ok(()) } else { Err(malformed(body, at, "the end of the body")) }
}

/// Where the value that begins at `at` ends, by its brackets and quotes; `None` when it does not. A value without either
/// ends before the next comma, bracket or space.
fn value_end(body: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut next = at;
    loop {
        match *body.get(next)? {
            b'"' => next = text_end(body, next)?,
            b'{' | b'[' => {
                depth += 1;
                next += 1;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                next += 1;
            }
            _ if depth > 0 => {
                next += 1;
                continue;
            }
            _ => return Some(plain_end(body, next)),
        }
        if depth == 0 {
            return Some(next);
        }
    }
}

/// Behind the closing quote of the text that begins at `at`.
fn text_end(body: &[u8], at: usize) -> Option<usize> {
    let mut next = at + 1;
    loop {
        match *body.get(next)? {
            b'"' => return Some(next + 1),
            b'\\' => next += 2,
            _ => next += 1,
        }
    }
}

/// Behind a number or a word.
fn plain_end(body: &[u8], at: usize) -> usize {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}' | b'[' | b'{' | b'"');
    body[at..].iter().position(ends).map_or(body.len(), |length| at + length)
}

/// The next byte that is none of JSON's spaces.
fn skip_space(body: &[u8], at: usize) -> usize {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    body[at..].iter().position(|byte| !space(byte)).map_or(body.len(), |skipped| at + skipped)
}

fn malformed(body: &[u8], offset: usize, expected: &'static str) -> SplitError {
    let before = &body[..offset];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    SplitError::Malformed { expected, offset, line, column }
}
