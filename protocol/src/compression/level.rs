//! Which codec, and how hard it tries (KIP-390).
//!
//! A producer's configuration makes a [`Compression`]; [`compress`](super::compress) takes it.

use std::fmt;
use std::ops::RangeInclusive;

use super::Codec;

/// A codec and its level (KIP-390).
///
/// gzip takes 1 to 9 (default 6), lz4 1 to 17 (default 9), zstd -131072 to 22 (default 3); more is smaller and slower.
/// lz4 has one encoder here, which is what Java uses at its default level; the other levels are taken and write the
/// same. zstd has one encoder here, at about level 1, unless the feature `zstd` brings in the C library.
///
/// ```
/// use tidemill_protocol::compression::{Codec, Compression};
///
/// let smallest = Compression::with_level(Codec::Gzip, 9)?;
/// assert_eq!(smallest.level(), 9);
/// assert!(Compression::with_level(Codec::Gzip, 10).is_err());
/// # Ok::<_, tidemill_protocol::compression::LevelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

impl Compression {
    /// A codec at its default level.
    #[must_use]
    pub const fn new(codec: Codec) -> Self {
        Self { codec, level: codec.default_level() }
    }

    /// A codec at this level.
    ///
    /// # Errors
    /// When the codec has no such level.
    pub fn with_level(codec: Codec, level: i32) -> Result<Self, LevelError> {
        match codec.levels() {
            Some(levels) if levels.contains(&level) => Ok(Self { codec, level }),
            Some(_) | None => Err(LevelError { codec, level }),
        }
    }

    /// The codec.
    #[must_use]
    pub const fn codec(self) -> Codec {
        self.codec
    }

    /// Its level; 0 where the codec has none.
    #[must_use]
    pub const fn level(self) -> i32 {
        self.level
    }

    /// Whether this build writes at this very level, rather than at the only one that it has.
    #[must_use]
    pub const fn level_is_honoured(self) -> bool {
        match self.codec {
            Codec::None | Codec::Gzip | Codec::Snappy => true,
            Codec::Lz4 => self.level == Codec::Lz4.default_level(),
            Codec::Zstd => cfg!(feature = "zstd") || self.level == 1,
        }
    }
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        Self::new(codec)
    }
}

impl Codec {
    /// The levels it has, as Kafka counts them.
    #[must_use]
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some(1..=9),
            Self::Lz4 => Some(1..=17),
            Self::Zstd => Some(-131_072..=22),
        }
    }

    /// The level it has when none is asked for; 0 where it has none.
    #[must_use]
    pub const fn default_level(self) -> i32 {
        match self {
            Self::None | Self::Snappy => 0,
            Self::Gzip => 6,
            Self::Lz4 => 9,
            Self::Zstd => 3,
        }
    }
}

/// A level that a codec does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelError {
    /// The codec.
    pub codec: Codec,
    /// What was asked of it.
    pub level: i32,
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.codec.name();
        match self.codec.levels() {
            None => write!(f, "{name} has no levels"),
            Some(levels) => {
                let (least, most) = levels.into_inner();
                write!(f, "{name} has no level {}, only {least} to {most}", self.level)
            }
        }
    }
}

impl std::error::Error for LevelError {}
