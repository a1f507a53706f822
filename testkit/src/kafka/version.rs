//! Which releases of Kafka tests run on.

use std::fmt;
use std::str::FromStr;

/// A release of Apache Kafka.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KafkaVersion {
    /// 3.9.1, of the last line that reads the requests of clients older than 2.1.
    V3_9_1,
    /// 4.1.1, the release that the message structs were generated from.
    V4_1_1,
    /// 4.3.1, which tests run on unless they say otherwise.
    #[default]
    V4_3_1,
}

impl KafkaVersion {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::V3_9_1, Self::V4_1_1, Self::V4_3_1];

    /// As Kafka writes it: `4.3.1`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V3_9_1 => "3.9.1",
            Self::V4_1_1 => "4.1.1",
            Self::V4_3_1 => "4.3.1",
        }
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KafkaVersion {
    type Err = String;

    /// Reads the release's number.
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|version| version.name() == text)
            .ok_or_else(|| format!("Kafka {text} is none of those that tests run on: {known}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_is_printed_and_others_are_refused_with_the_choice() {
        for version in KafkaVersion::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        let refused = "4.3".parse::<KafkaVersion>().unwrap_err();
        assert_eq!(refused, "Kafka 4.3 is none of those that tests run on: 3.9.1, 4.1.1, 4.3.1");
    }
}
