//! JSON, with Flink's coercions when reading and its bytes when writing.
//!
//! Reading: [`decode`] walks a value with [`scan`] and has [`convert`] read the fields that are needed ([`text`] for
//! escapes, [`compact`] for containers in a STRING). Writing: [`encode`].

mod compact;
mod convert;
mod decode;
mod encode;
mod scan;
mod text;

pub(crate) use self::decode::Decoder;
pub(crate) use self::encode::Encoder;
