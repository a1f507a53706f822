//! Which codec, and how hard it tries, out of properties that come in any order.
//!
//! Before: the [configuration](super::config) reads them one by one. After: the [driver](super::driver) seals batches with
//! [`Choice::compression`].

use tidemill_protocol::compression::{Codec, Compression};

/// A codec, and levels of codecs, of which one may be it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Choice {
    codec: Codec,
    /// The last for a codec counts.
    leveled: Vec<Compression>,
    /// librdkafka's one level for all codecs, which counts where the codec's own is not set.
    any_level: Option<i32>,
}

impl From<Compression> for Choice {
    fn from(compression: Compression) -> Self {
        Self { codec: compression.codec(), leveled: vec![compression], any_level: None }
    }
}

impl Choice {
    /// What it comes to.
    pub(super) fn compression(&self) -> Compression {
        let own = self.leveled.iter().rfind(|leveled| leveled.codec() == self.codec).copied();
        own.or_else(|| {
            let (least, most) = self.codec.levels()?.into_inner();
            Compression::with_level(self.codec, self.any_level?.clamp(least, most)).ok()
        })
        .unwrap_or_else(|| Compression::new(self.codec))
    }

    /// Says so when a level was asked for that this build does not write.
    pub(super) fn warn(&self) {
        let compression = self.compression();
        let (codec, level) = (compression.codec(), compression.level());
        if !compression.level_is_honoured() && level != codec.default_level() {
            let codec = codec.name();
            tracing::warn!(codec, level, "this build compresses with another level of the codec than was asked for");
        }
    }

    pub(super) fn set_codec(&mut self, name: &str) -> Result<(), String> {
        let codec = Codec::from_name(name).ok_or("none of none, gzip, snappy, lz4, zstd")?;
        self.codec = codec;
        Ok(())
    }

    pub(super) fn set_level(&mut self, codec: Codec, value: &str) -> Result<(), String> {
        let level = value.parse().map_err(|_| "not a whole number".to_owned())?;
        let compression = match level {
            // Kafka's word for gzip's default; to zstd it is a level, and to lz4 it is none.
            -1 if codec == Codec::Gzip => Compression::new(codec),
            level => Compression::with_level(codec, level).map_err(|error| error.to_string())?,
        };
        self.leveled.push(compression);
        Ok(())
    }

    pub(super) fn set_any_level(&mut self, value: &str) -> Result<(), String> {
        let level: i32 = value.parse().map_err(|_| "not a whole number".to_owned())?;
        if !(-1..=12).contains(&level) {
            return Err("not from -1 to 12".to_owned());
        }
        self.any_level = (level != -1).then_some(level);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::ProducerConfig;
    use super::*;

    fn read(properties: &[(&str, &str)]) -> Result<Compression, String> {
        ProducerConfig::from_properties(properties.iter().copied())
            .map(|config| config.compression.compression())
            .map_err(|error| error.to_string())
    }

    fn level(codec: Codec, level: i32) -> Result<Compression, String> {
        Ok(Compression::with_level(codec, level).unwrap())
    }

    #[test]
    fn the_level_of_the_codec_that_is_used_counts_in_any_order() {
        let levels =
            [("compression.gzip.level", "9"), ("compression.lz4.level", "17"), ("compression.zstd.level", "-7")];
        for (name, expected) in [
            ("gzip", level(Codec::Gzip, 9)),
            ("lz4", level(Codec::Lz4, 17)),
            ("zstd", level(Codec::Zstd, -7)),
            ("snappy", Ok(Codec::Snappy.into())),
            ("none", Ok(Codec::None.into())),
        ] {
            let [first, second, third] = levels;
            assert_eq!(read(&[("compression.type", name), first, second, third]), expected);
            assert_eq!(read(&[third, second, first, ("compression.codec", name)]), expected);
        }
    }

    #[test]
    fn the_default_level_is_that_of_kafka() {
        assert_eq!(read(&[("compression.type", "gzip")]), level(Codec::Gzip, 6));
        assert_eq!(read(&[("compression.type", "gzip"), ("compression.gzip.level", "-1")]), level(Codec::Gzip, 6));
        assert_eq!(read(&[("compression.type", "lz4")]), level(Codec::Lz4, 9));
        assert_eq!(read(&[("compression.type", "zstd")]), level(Codec::Zstd, 3));
    }

    #[test]
    fn the_one_level_of_librdkafka_is_bent_to_the_codec() {
        let read = |codec, any| read(&[("compression.level", any), ("compression.codec", codec)]);
        assert_eq!(read("gzip", "12"), level(Codec::Gzip, 9));
        assert_eq!(read("gzip", "0"), level(Codec::Gzip, 1));
        assert_eq!(read("zstd", "12"), level(Codec::Zstd, 12));
        assert_eq!(read("zstd", "-1"), level(Codec::Zstd, 3));
        assert_eq!(read("snappy", "5"), Ok(Codec::Snappy.into()));
        assert!(read("zstd", "13").unwrap_err().contains("not from -1 to 12"));
    }

    #[test]
    fn a_level_that_is_none_says_which_are() {
        let refused = read(&[("compression.gzip.level", "10")]).unwrap_err();
        assert!(refused.contains("compression.gzip.level") && refused.contains("only 1 to 9"), "{refused}");
        assert!(read(&[("compression.lz4.level", "-1")]).unwrap_err().contains("only 1 to 17"));
        assert!(read(&[("compression.zstd.level", "high")]).unwrap_err().contains("not a whole number"));
    }
}
