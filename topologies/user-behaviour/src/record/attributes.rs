//! What a record says beyond the common fields.

use compact_str::CompactString;
use serde::{Serialize, Serializer};

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Attribute {
    /// A text.
    Text(CompactString),
    /// A number that was written without fraction and exponent.
    Int(i64),
    /// Any other number; finite.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<CompactString> for Attribute {
    fn from(text: CompactString) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Attribute {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Attribute {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

/// A flat map from names to values, ordered by name as bytes, so that equal maps encode equally.
/// An empty one holds no memory.
///
/// ```
/// use user_behaviour::record::Attributes;
///
/// let mut attributes = Attributes::default();
/// attributes.insert("nights", 2);
/// attributes.insert("city", "上海");
/// let mut json = Vec::new();
/// attributes.to_json(&mut json);
/// assert_eq!(json, r#"{"city":"上海","nights":2}"#.as_bytes());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(Vec<(CompactString, Attribute)>);

impl Attributes {
    /// Sets `name`, and gives back what it was before.
    pub fn insert(&mut self, name: impl Into<CompactString>, value: impl Into<Attribute>) -> Option<Attribute> {
        let (name, value) = (name.into(), positive_zero(value.into()));
        match self.0.binary_search_by(|(n, _)| n.cmp(&name)) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.0.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok().map(|at| &self.0[at].1)
    }

    /// Names and values, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The map of `pairs` in any order, or a name that occurs twice.
    pub(crate) fn from_pairs(mut pairs: Vec<(CompactString, Attribute)>) -> Result<Self, CompactString> {
        if !pairs.is_sorted_by(|(a, _), (b, _)| a < b) {
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(twice[0].0.clone());
        }
        for (_, value) in &mut pairs {
            *value = positive_zero(std::mem::replace(value, Attribute::Bool(false)));
        }
        Ok(Self(pairs))
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Zero has one encoding, or equal maps would not encode equally.
fn positive_zero(value: Attribute) -> Attribute {
    match value {
        Attribute::Float(number) => Attribute::Float(number + 0.0),
        other => other,
    }
}
