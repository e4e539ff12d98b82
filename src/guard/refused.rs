//! How a refusal is classed.

use super::Refusal;
use crate::topology::{Class, Classify};

impl Classify for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }
}
