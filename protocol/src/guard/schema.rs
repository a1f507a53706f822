//! The rows of the [tables](super::tables): what fields a message has, in which of its versions, in which form.
//!
//! [`check`](super::check) walks bytes along them. They say what Kafka's message schemas say, less defaults and comments;
//! ranges of versions are cut to those the message has.

use crate::api::VersionRange;

/// The first flexible version (KIP-482) of a message that has none.
pub(super) const NEVER: i16 = i16::MAX;

/// A request, a response or a header.
#[derive(Debug)]
pub(super) struct Message {
    /// The number of its API; of no meaning in a header.
    pub(super) api: i16,
    /// The versions that have a struct.
    pub(super) versions: VersionRange,
    /// From this version on, lengths are varints and every struct ends with tagged fields.
    pub(super) flexible: i16,
    /// Its struct, as an index of `STRUCTS`.
    pub(super) body: u16,
}

/// A struct: the body of a message, or one inside it.
#[derive(Debug)]
pub(super) struct Struct {
    /// What the struct takes in memory, without what its fields point to.
    pub(super) size: usize,
    /// The fewest bytes it takes on the wire, from which version on; in ascending order.
    pub(super) least: &'static [(i16, usize)],
    /// Its fields in the order of the wire; tagged ones stand among them and come last on the wire.
    pub(super) fields: &'static [Field],
}

impl Struct {
    /// The fewest bytes it takes on the wire in a version.
    pub(super) fn least_bytes(&self, version: i16) -> usize {
        self.least.iter().rev().find(|(since, _)| *since <= version).map_or(0, |(_, bytes)| *bytes)
    }

    /// The field of a tag, in whichever version.
    pub(super) fn tagged(&self, tag: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.tag.is_some_and(|known| u32::from(known) == tag))
    }
}

/// A field of a struct.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether it is an array of `kind`.
    pub(super) is_array: bool,
    /// The versions that have it.
    pub(super) versions: VersionRange,
    /// The versions in which it may be null.
    pub(super) nullable: VersionRange,
    /// Its number, when it is a tagged field.
    pub(super) tag: Option<u8>,
    /// Written in the form of old versions also in flexible ones (the client id of a request header).
    pub(super) is_old_form: bool,
}

/// What a field or the element of an array is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    /// Bytes that hold record batches: their own concern, see [`records`](crate::records).
    Records,
    /// An index of `STRUCTS`, always lower than that of the struct it stands in.
    Struct(u16),
}

impl Kind {
    /// How many bytes it takes on the wire, if that is always the same.
    pub(super) const fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Int8 => Some(1),
            Self::Int16 | Self::Uint16 => Some(2),
            Self::Int32 => Some(4),
            Self::Int64 | Self::Float64 => Some(8),
            Self::Uuid => Some(16),
            Self::String | Self::Bytes | Self::Records | Self::Struct(_) => None,
        }
    }
}

impl Field {
    pub(super) const fn since(self, first: i16) -> Self {
        Self { versions: v(first, self.versions.max), ..self }
    }

    pub(super) const fn until(self, last: i16) -> Self {
        Self { versions: v(self.versions.min, last), ..self }
    }

    pub(super) const fn nullable(self) -> Self {
        self.nullable_in(0, i16::MAX)
    }

    pub(super) const fn nullable_in(self, first: i16, last: i16) -> Self {
        Self { nullable: v(first, last), ..self }
    }

    pub(super) const fn tag(self, tag: u8) -> Self {
        Self { tag: Some(tag), ..self }
    }

    pub(super) const fn old_form(self) -> Self {
        Self { is_old_form: true, ..self }
    }
}

/// A field, in all versions of its message and never null unless more is said.
pub(super) const fn f(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_array: false, versions: v(0, i16::MAX), nullable: v(0, -1), tag: None, is_old_form: false }
}

/// A field that is an array.
pub(super) const fn a(name: &'static str, kind: Kind) -> Field {
    Field { is_array: true, ..f(name, kind) }
}

/// A range of versions.
pub(super) const fn v(first: i16, last: i16) -> VersionRange {
    VersionRange::new(first, last)
}
