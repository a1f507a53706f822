//! Valid messages made from the tables: the least one, and any number of random ones.
//!
//! They are written in the one form in which a struct's encoder writes them too (flags are 0 or 1, tagged fields hold
//! something other than their default), so decoding and encoding must give the same bytes.

use super::find;
use super::schema::{Field, Kind, Message, Struct};
use super::tables::{RESPONSES, STRUCTS};
use crate::api::ApiKey;

/// How full a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// No element, no character, no tag more than there must be.
    Least,
    /// Something of everything.
    Any,
    /// Nothing that could be a default: for what stands in a tagged field.
    Full,
}

/// No tag that a schema names is as high.
pub(super) const UNKNOWN_TAG_MIN: u32 = 100;

/// A random response of a version, without a header.
pub(crate) fn any_response(api: ApiKey, version: i16, seed: u64) -> Vec<u8> {
    message(find(RESPONSES, api, version).unwrap(), version, Shape::Any, seed)
}

/// A message of a version, without a header.
pub(super) fn message(message: &Message, version: i16, shape: Shape, seed: u64) -> Vec<u8> {
    let mut writer =
        Writer { bytes: Vec::new(), random: Random(seed), version, is_flexible: version >= message.flexible };
    writer.structure(&STRUCTS[usize::from(message.body)], shape);
    writer.bytes
}

/// A little random number generator (splitmix64), so that a seed says all.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

struct Writer {
    bytes: Vec<u8>,
    random: Random,
    version: i16,
    is_flexible: bool,
}

impl Writer {
    fn structure(&mut self, structure: &Struct, shape: Shape) {
        let (version, is_flexible) = (self.version, self.is_flexible);
        let present = |field: &&Field| field.versions.contains(version);
        for field in structure.fields.iter().filter(present).filter(|field| field.tag.is_none()) {
            self.field(field, shape, is_flexible && !field.is_old_form);
        }
        if !is_flexible {
            return;
        }
        let mut tagged: Vec<(u32, Vec<u8>)> = Vec::new();
        if shape != Shape::Least {
            for field in structure.fields.iter().filter(present) {
                if let Some(tag) = field.tag
                    && (shape == Shape::Full || self.random.below(2) == 0)
                {
                    tagged.push((tag.into(), self.aside(|writer| writer.field(field, Shape::Full, true))));
                }
            }
            tagged.sort_by_key(|(tag, _)| *tag);
            if self.random.below(4) == 0 {
                let tag = UNKNOWN_TAG_MIN + self.random.below(1 << 20) as u32;
                let size = self.random.below(5);
                tagged.push((tag, vec![7; size]));
            }
        }
        self.varint(tagged.len() as u32);
        for (tag, value) in tagged {
            self.varint(tag);
            self.varint(value.len() as u32);
            self.bytes.extend(value);
        }
    }

    /// What `write` writes, not yet among the bytes.
    fn aside(&mut self, write: impl FnOnce(&mut Self)) -> Vec<u8> {
        let before = std::mem::take(&mut self.bytes);
        write(self);
        std::mem::replace(&mut self.bytes, before)
    }

    fn field(&mut self, field: &Field, shape: Shape, is_compact: bool) {
        let may_be_null = field.nullable.contains(self.version);
        let is_null = match shape {
            // Null takes as many bytes as nothing does, save for a struct.
            Shape::Least => may_be_null && matches!(field.kind, Kind::Struct(_)) && !field.is_array,
            Shape::Any => may_be_null && self.random.below(4) == 0,
            Shape::Full => false,
        };
        if !field.is_array {
            return self.value(field.kind, shape, is_compact, may_be_null, is_null);
        }
        let count = match shape {
            Shape::Least => 0,
            Shape::Any => self.random.below(4),
            Shape::Full => 1 + self.random.below(2),
        };
        self.length((!is_null).then_some(count), is_compact, 4);
        if !is_null {
            for _ in 0..count {
                self.value(field.kind, shape, is_compact, false, false);
            }
        }
    }

    fn value(&mut self, kind: Kind, shape: Shape, is_compact: bool, may_be_null: bool, is_null: bool) {
        let length = match shape {
            _ if is_null => None,
            Shape::Least => Some(0),
            Shape::Any => Some(self.random.below(12)),
            Shape::Full => Some(1 + self.random.below(8)),
        };
        match kind {
            Kind::Bool => {
                let flag = if shape == Shape::Full { 1 } else { self.random.below(2) as u8 };
                self.bytes.push(flag);
            }
            Kind::Int8 => self.number(1, shape),
            Kind::Int16 | Kind::Uint16 => self.number(2, shape),
            Kind::Int32 => self.number(4, shape),
            Kind::Int64 | Kind::Float64 => self.number(8, shape),
            Kind::Uuid => self.number(16, shape),
            Kind::String => {
                self.length(length, is_compact, 2);
                let text = ["a", "topic-7", "", "h\u{f6}lder", "\u{1f980}"].concat();
                let mut end = length.unwrap_or(0).min(text.len());
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                self.bytes.extend(&text.as_bytes()[..end]);
                self.bytes.extend(std::iter::repeat_n(b'x', length.unwrap_or(0) - end));
            }
            Kind::Bytes | Kind::Records => {
                self.length(length, is_compact, 4);
                for _ in 0..length.unwrap_or(0) {
                    let byte = self.random.next() as u8;
                    self.bytes.push(byte);
                }
            }
            Kind::Struct(number) => {
                if may_be_null {
                    self.bytes.push(if is_null { 0xff } else { 1 });
                }
                if !is_null {
                    self.structure(&STRUCTS[usize::from(number)], shape);
                }
            }
        }
    }

    /// A number of so many bytes; a full one is small and positive, which no default is.
    fn number(&mut self, bytes: usize, shape: Shape) {
        let low = 1 + self.random.below(100) as u8;
        for at in 0..bytes {
            let byte = match shape {
                Shape::Full if at + 1 == bytes => low,
                Shape::Full => 0,
                // The highest exponent of a float is no number.
                Shape::Any | Shape::Least if at == 0 => self.random.next() as u8 & 0x8f,
                Shape::Any | Shape::Least => self.random.next() as u8,
            };
            self.bytes.push(byte);
        }
    }

    /// The length of something, or of null, in a form of `bytes` bytes or compact.
    fn length(&mut self, length: Option<usize>, is_compact: bool, bytes: usize) {
        if is_compact {
            return self.varint(length.map_or(0, |length| length as u32 + 1));
        }
        let length = length.map_or(-1, |length| length as i32);
        self.bytes.extend(&length.to_be_bytes()[4 - bytes..]);
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}
