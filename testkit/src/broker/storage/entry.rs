//! One kept value, as JSON: reading it back says which field is wrong.

use serde_json::Value;
use tidemill_protocol::StrBytes;

/// Why what was kept cannot be used.
pub(crate) type Damage = String;

/// A kept value, or a part of one. Without `Debug`: it may be what a user is known by.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a>(pub(crate) &'a Value);

impl<'a> Entry<'a> {
    pub(crate) fn field(self, name: &str) -> Result<Self, Damage> {
        self.0.get(name).map(Entry).ok_or_else(|| format!("there is no {name}"))
    }

    /// None where it is null or not there.
    pub(crate) fn optional(self, name: &str) -> Option<Self> {
        self.0.get(name).filter(|value| !value.is_null()).map(Entry)
    }

    pub(crate) fn text(self, name: &str) -> Result<&'a str, Damage> {
        self.field(name)?.as_text().ok_or_else(|| format!("{name} is no text"))
    }

    pub(crate) fn as_text(self) -> Option<&'a str> {
        self.0.as_str()
    }

    pub(crate) fn number<T: TryFrom<i64>>(self, name: &str) -> Result<T, Damage> {
        self.field(name)?.as_number().ok_or_else(|| format!("{name} is not such a number"))
    }

    pub(crate) fn as_number<T: TryFrom<i64>>(self) -> Option<T> {
        T::try_from(self.0.as_i64()?).ok()
    }

    pub(crate) fn flag(self, name: &str) -> Result<bool, Damage> {
        self.field(name)?.0.as_bool().ok_or_else(|| format!("{name} is neither true nor false"))
    }

    pub(crate) fn is_false(self) -> bool {
        self.0.as_bool() == Some(false)
    }

    /// The fields of an object, by their names.
    pub(crate) fn fields(self) -> Option<impl Iterator<Item = (&'a str, Self)>> {
        Some(self.0.as_object()?.iter().map(|(name, value)| (name.as_str(), Entry(value))))
    }

    pub(crate) fn list(self, name: &str) -> Result<impl Iterator<Item = Self>, Damage> {
        let list = self.field(name)?.0.as_array().ok_or_else(|| format!("{name} is no list"))?;
        Ok(list.iter().map(Entry))
    }

    pub(crate) fn numbers<T: TryFrom<i64>>(self, name: &str) -> Result<Vec<T>, Damage> {
        let numbers = self.list(name)?.map(Self::as_number).collect::<Option<Vec<T>>>();
        numbers.ok_or_else(|| format!("{name} holds what is not such a number"))
    }
}

/// Text of its own.
pub(crate) fn owned(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
