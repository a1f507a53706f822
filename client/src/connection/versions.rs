//! What a broker speaks, and choosing a version that both sides do.

use std::collections::BTreeMap;

use tidemill_protocol::ApiKey;
use tidemill_protocol::api::{VersionRange, choose_version};
use tidemill_protocol::messages::ApiVersionsResponse;

/// The ranges a broker gave in its ApiVersions response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Versions {
    ranges: BTreeMap<ApiKey, VersionRange>,
    /// The cluster's level of the feature `transaction.version`; 0 where it has none.
    pub(super) transaction_version: i16,
}

impl Versions {
    pub(super) fn of(response: &ApiVersionsResponse) -> Self {
        let ranges = response.api_keys.iter();
        let transactions = response.finalized_features.iter().find(|feature| &*feature.name == "transaction.version");
        Self {
            transaction_version: transactions.map_or(0, |feature| feature.max_version_level),
            ranges: ranges
                .map(|range| (ApiKey(range.api_key), VersionRange::new(range.min_version, range.max_version)))
                .collect(),
        }
    }

    /// The newest version of `ours` that the broker speaks, or why there is none.
    pub(super) fn choose(&self, api: ApiKey, ours: VersionRange) -> Result<i16, String> {
        let Some(&theirs) = self.ranges.get(&api) else {
            return Err(format!("the broker does not know {api}"));
        };
        choose_version(ours, theirs).ok_or_else(|| {
            format!(
                "the broker speaks versions {} to {} of {api}, we speak {} to {}",
                theirs.min, theirs.max, ours.min, ours.max
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_common_version_names_both_ranges() {
        let ranges = BTreeMap::from([(ApiKey::FETCH, VersionRange::new(0, 3))]);
        let versions = Versions { ranges, transaction_version: 0 };
        assert_eq!(versions.choose(ApiKey::FETCH, VersionRange::new(0, 9)), Ok(3));
        let refused = versions.choose(ApiKey::FETCH, VersionRange::new(4, 9)).unwrap_err();
        assert_eq!(refused, "the broker speaks versions 0 to 3 of Fetch, we speak 4 to 9");
        assert!(versions.choose(ApiKey::PRODUCE, VersionRange::new(3, 9)).unwrap_err().contains("does not know"));
    }
}
