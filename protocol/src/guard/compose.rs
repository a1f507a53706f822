//! Bodies of requests made along the tables, of any API and version, from what a caller says of each field: for fuzz
//! targets and tests that have to ask everything of a broker without a line for each API.
//!
//! The counterpart of [`check`](super::check): what is composed is accepted there.

use super::schema::{Field, Kind, Struct};
use super::tables::REQUESTS;
use crate::api::ApiKey;
use crate::error::DecodeError;

/// Says what stands in each field. A field is named by its path, the outermost first, as in Kafka's schemas:
/// `["topics", "partitions", "partition_index"]`.
pub trait Fields {
    /// Whether a field is there that may be null or left out.
    fn is_present(&mut self, path: &[&str]) -> bool;
    /// How many elements an array has.
    fn count(&mut self, path: &[&str]) -> usize;
    /// A number of so many bits; 1 for a flag.
    fn number(&mut self, path: &[&str], bits: u32) -> i64;
    /// Text.
    fn text(&mut self, path: &[&str]) -> String;
    /// Bytes; those of a field `records` are record batches.
    fn bytes(&mut self, path: &[&str]) -> Vec<u8>;
    /// An id.
    fn uuid(&mut self, path: &[&str]) -> [u8; 16];
}

/// The body of a request.
///
/// # Errors
/// When the API or the version is not known.
pub fn compose_request(api: ApiKey, version: i16, fields: &mut dyn Fields) -> Result<Vec<u8>, DecodeError> {
    let message = super::find(REQUESTS, api, version)?;
    let mut body =
        Body { bytes: Vec::new(), path: Vec::new(), fields, version, is_flexible: version >= message.flexible };
    body.structure(super::check::find(message.body));
    Ok(body.bytes)
}

struct Body<'a> {
    bytes: Vec<u8>,
    path: Vec<&'static str>,
    fields: &'a mut dyn Fields,
    version: i16,
    is_flexible: bool,
}

impl Body<'_> {
    fn structure(&mut self, structure: &'static Struct) {
        let mut tagged: Vec<(u8, Vec<u8>)> = Vec::new();
        let version = self.version;
        for field in structure.fields.iter().filter(|field| field.versions.contains(version)) {
            self.path.push(field.name);
            match field.tag {
                None => self.field(field),
                Some(tag) => {
                    if self.is_flexible && self.fields.is_present(&self.path) {
                        let before = std::mem::take(&mut self.bytes);
                        self.field(field);
                        tagged.push((tag, std::mem::replace(&mut self.bytes, before)));
                    }
                }
            }
            self.path.pop();
        }
        if !self.is_flexible {
            return;
        }
        tagged.sort_unstable_by_key(|(tag, _)| *tag);
        self.varint(tagged.len());
        for (tag, value) in tagged {
            self.varint(usize::from(tag));
            self.varint(value.len());
            self.bytes.extend(value);
        }
    }

    fn field(&mut self, field: &'static Field) {
        let is_compact = self.is_flexible && !field.is_old_form;
        let may_be_null = field.nullable.contains(self.version);
        let is_null = may_be_null && !self.fields.is_present(&self.path);
        if !field.is_array {
            return self.value(field.kind, is_compact, may_be_null, is_null);
        }
        let count = if is_null { None } else { Some(self.fields.count(&self.path)) };
        self.length(count, is_compact, 4);
        for _ in 0..count.unwrap_or(0) {
            self.value(field.kind, is_compact, false, false);
        }
    }

    fn value(&mut self, kind: Kind, is_compact: bool, may_be_null: bool, is_null: bool) {
        match kind {
            Kind::Bool => self.number(1),
            Kind::Int8 => self.number(8),
            Kind::Int16 | Kind::Uint16 => self.number(16),
            Kind::Int32 => self.number(32),
            Kind::Int64 | Kind::Float64 => self.number(64),
            Kind::Uuid => {
                let id = self.fields.uuid(&self.path);
                self.bytes.extend(id);
            }
            Kind::String => {
                let text = if is_null { None } else { Some(self.fields.text(&self.path)) };
                self.length(text.as_ref().map(String::len), is_compact, 2);
                self.bytes.extend(text.unwrap_or_default().into_bytes());
            }
            Kind::Bytes | Kind::Records => {
                let bytes = if is_null { None } else { Some(self.fields.bytes(&self.path)) };
                self.length(bytes.as_ref().map(Vec::len), is_compact, 4);
                self.bytes.extend(bytes.unwrap_or_default());
            }
            Kind::Struct(number) => {
                if may_be_null {
                    self.bytes.push(if is_null { 0xff } else { 1 });
                }
                if !is_null {
                    self.structure(super::check::find(number));
                }
            }
        }
    }

    fn number(&mut self, bits: u32) {
        let number = self.fields.number(&self.path, bits);
        let number = if bits == 1 { i64::from(number != 0) } else { number };
        let taken = usize::try_from(bits.div_ceil(8)).unwrap_or(8);
        let bytes = number.to_be_bytes();
        self.bytes.extend(bytes.iter().skip(bytes.len().saturating_sub(taken)));
    }

    /// The length of something, or of null, in a form of `bytes` bytes or compact.
    fn length(&mut self, length: Option<usize>, is_compact: bool, bytes: usize) {
        if is_compact {
            return self.varint(length.map_or(0, |length| length.saturating_add(1)));
        }
        let length = length.map_or(-1, |length| i32::try_from(length).unwrap_or(i32::MAX));
        self.bytes.extend(length.to_be_bytes().iter().skip(4_usize.saturating_sub(bytes)));
    }

    fn varint(&mut self, mut value: usize) {
        loop {
            let low = u8::try_from(value & 0x7f).unwrap_or_default();
            value >>= 7;
            if value == 0 {
                return self.bytes.push(low);
            }
            self.bytes.push(low | 0x80);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::Random;
    use super::super::{Budget, check_request};
    use super::*;

    struct Anything(Random);

    impl Fields for Anything {
        fn is_present(&mut self, _path: &[&str]) -> bool {
            self.0.below(3) > 0
        }

        fn count(&mut self, _path: &[&str]) -> usize {
            self.0.below(3)
        }

        fn number(&mut self, _path: &[&str], _bits: u32) -> i64 {
            i64::try_from(self.0.below(200)).unwrap() - 100
        }

        fn text(&mut self, path: &[&str]) -> String {
            path.concat()
        }

        fn bytes(&mut self, path: &[&str]) -> Vec<u8> {
            path.concat().into_bytes()
        }

        fn uuid(&mut self, _path: &[&str]) -> [u8; 16] {
            [7; 16]
        }
    }

    #[test]
    fn what_is_composed_is_accepted_in_every_version_of_every_api() {
        for api in ApiKey::ALL {
            let versions = api.versions().unwrap();
            for version in versions.min..=versions.max {
                for seed in 0..5 {
                    let body = compose_request(*api, version, &mut Anything(Random(seed))).unwrap();
                    let checked = check_request(*api, version, &body, Budget::default());
                    assert_eq!(checked, Ok(()), "{api} v{version}, seed {seed}");
                }
            }
        }
    }
}
