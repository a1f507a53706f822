//! One value as slots of raw text, a slot for each column that is needed.
//!
//! Before: [`decode`](super::decode) brings a value. After: [`column`](super::column) reads the text of each slot. The
//! text is borrowed from the value; nothing is allocated, except to compare a name that is written with escapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::decode::IGNORE_PARSE_ERRORS;

/// What a value has for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot<'a> {
    /// Nothing.
    Missing,
    /// This JSON.
    Raw(&'a str),
}

/// Why a value is no row.
#[derive(Debug)]
pub(super) struct Malformed {
    /// The column; none when the value as a whole is no row.
    pub(super) field: Option<String>,
    pub(super) reason: Cow<'static, str>,
    /// What would let it pass.
    pub(super) option: &'static str,
}

/// Takes the slots of one row.
type OnRow<'r, 'a> = &'r mut dyn FnMut(&[Slot<'a>]) -> Result<(), Malformed>;

/// Reads one value: an object is a row, an array is a row for each element. What stands behind it is ignored, as Flink
/// does. A name that comes twice counts where it comes last.
pub(super) fn read<'a>(
    value: &'a [u8],
    names: &[String],
    slots: &mut [Slot<'a>],
    on_row: OnRow<'_, 'a>,
) -> Result<(), Malformed> {
    let mut malformed = None;
    let mut json = serde_json::Deserializer::from_slice(value);
    let reader = Rows { names, slots, on_row, malformed: &mut malformed, nested: false };
    match reader.deserialize(&mut json) {
        Ok(()) => Ok(()),
        Err(error) => Err(malformed.take().unwrap_or_else(|| {
            let reason = if value.iter().all(u8::is_ascii_whitespace) {
                "the value is blank".into()
            } else {
                format!("the value is not JSON: {error}").into()
            };
            Malformed { field: None, reason, option: IGNORE_PARSE_ERRORS }
        })),
    }
}

/// Reads an object, or an array of objects.
struct Rows<'r, 'a> {
    names: &'r [String],
    slots: &'r mut [Slot<'a>],
    on_row: OnRow<'r, 'a>,
    /// The error itself is serde's; ours is kept here.
    malformed: &'r mut Option<Malformed>,
    nested: bool,
}

impl<'a> DeserializeSeed<'a> for Rows<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Rows<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.nested { "an object" } else { "an object or an array of objects" })
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        self.slots.fill(Slot::Missing);
        while let Some(column) = map.next_key_seed(Name(self.names))? {
            match column.and_then(|column| self.slots.get_mut(column)) {
                Some(slot) => *slot = Slot::Raw(map.next_value::<&'a RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        (self.on_row)(self.slots).map_err(|malformed| {
            *self.malformed = Some(malformed);
            A::Error::custom("a field does not parse")
        })
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        if self.nested {
            return Err(A::Error::custom("an array in an array is no row"));
        }
        let Rows { names, slots, on_row, malformed, .. } = self;
        loop {
            let row = Rows { names, slots: &mut *slots, on_row: &mut *on_row, malformed, nested: true };
            if elements.next_element_seed(row)?.is_none() {
                return Ok(());
            }
        }
    }
}

/// The name of a member: which column it is, if any.
struct Name<'r>(&'r [String]);

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|column| column == name))
    }
}
