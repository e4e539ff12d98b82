//! Secrets that are of no use.

use crate::service::config::Secret;

/// Why a token or key was not taken. Never holds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadSecret {
    /// It could be guessed.
    #[error(
        "the secret of `{name}` is too short: give it {least} bytes or more, such as `openssl rand -hex 16` makes"
    )]
    Short {
        /// Whose it is.
        name: String,
        /// How many bytes it must have.
        least: usize,
    },
    /// It holds what no header can.
    #[error("the secret of `{name}` cannot be sent: use letters, digits and signs of ASCII only, without spaces")]
    Unsendable {
        /// Whose it is.
        name: String,
    },
    /// It would not be known whose it is.
    #[error("`{name}` has the secret of `{other}`; give each its own")]
    Twice {
        /// Whose it is.
        name: String,
        /// Whose it is too.
        other: String,
    },
}

/// A secret that can be used: visible ASCII, of at least so many bytes.
pub(super) fn usable<'a>(name: &str, secret: &'a Secret, least: usize) -> Result<&'a [u8], BadSecret> {
    let (name, bytes) = (name.to_owned(), secret.expose().as_bytes());
    if bytes.len() < least {
        return Err(BadSecret::Short { name, least });
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(BadSecret::Unsendable { name });
    }
    Ok(bytes)
}
