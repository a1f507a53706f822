//! What is set outside the statements: `SET 'key' = 'value'` and the command line's `--set`.
//!
//! Before: the binary fills [`Settings`]. After: `sql/bind` merges them with the text's SET statements; what is set
//! outside wins.

use tidemill_client::Properties;

use tidemill_client::{ConsumerConfig, ProducerConfig};

use super::error::shorten;

/// Settings that win over those of the SQL text. Default: none.
///
/// Known: `table.local-time-zone` (a zone's name, as `Europe/Berlin`; default: the machine's own), and
/// `properties.*`, which overrides the client property of that name in every table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub(super) properties: Properties,
    pub(super) local_time_zone: Option<String>,
}

impl Settings {
    /// Sets one key.
    ///
    /// # Errors
    /// Says in one sentence why the key or the value is refused.
    pub fn set(mut self, key: &str, value: &str) -> Result<Self, String> {
        if let Some(property) = key.strip_prefix("properties.") {
            if property.is_empty() {
                return Err("'properties.' needs the name of a client property behind it".to_owned());
            }
            check_property(property, value).map_err(|error| error.to_string())?;
            self.properties.insert(property.to_owned(), value.to_owned());
        } else {
            self.set_statement(key, value)?;
        }
        Ok(self)
    }

    /// Sets what a SET statement may set too.
    pub(super) fn set_statement(&mut self, key: &str, value: &str) -> Result<(), String> {
        if key != LOCAL_TIME_ZONE {
            return Err(format!("setting '{}' is not supported; '{LOCAL_TIME_ZONE}' is", shorten(key)));
        }
        if value != "UTC" && jiff::tz::TimeZone::get(value).is_err() {
            return Err(format!(
                "unknown time zone '{}'; names are written as 'Europe/Berlin' or 'UTC'",
                shorten(value)
            ));
        }
        self.local_time_zone = Some(value.to_owned());
        Ok(())
    }
}

/// Refuses what neither a consumer nor a producer takes: a name that nobody knows, a value that cannot be.
pub(super) fn check_property(name: &str, value: &str) -> Result<(), tidemill_client::Error> {
    let property = [(name, value)];
    ConsumerConfig::from_properties(property).map(drop).or_else(|_| ProducerConfig::from_properties(property).map(drop))
}

const LOCAL_TIME_ZONE: &str = "table.local-time-zone";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_settings_and_zones_are_refused() {
        let settings = Settings::default();
        assert!(settings.clone().set("table.local-time-zone", "UTC").is_ok());
        let berlin = settings.clone().set("table.local-time-zone", "Europe/Berlin");
        assert!(berlin.is_ok() || !std::path::Path::new("/usr/share/zoneinfo").exists());
        assert!(settings.clone().set("properties.bootstrap.servers", "a:1").is_ok());
        assert!(settings.clone().set("table.local-time-zone", "Mars/Olympus").unwrap_err().contains("Mars/Olympus"));
        let misspelt = settings.clone().set("properties.fetch.min.byte", "1").unwrap_err();
        assert!(misspelt.contains("did you mean 'fetch.min.bytes'?"), "{misspelt}");
        assert!(settings.set("parallelism.default", "4").unwrap_err().contains("parallelism.default"));
    }
}
