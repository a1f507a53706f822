//! The cluster itself: its brokers and its features.
//!
//! Before: the application. After: [`driver`](super::driver) asks any broker.
//!
//! Source: KIP-700 (DescribeCluster), KIP-1073 (fenced brokers), KIP-584 (features), KIP-430 (authorized operations).

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_protocol::StrBytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse,
};

use super::Admin;
use super::call::{Answer, Route, accepted};
use super::driver::Exchange;
use super::names::{AclOperation, operations};
use crate::error::Error;

const DESCRIBE_CLUSTER_VERSIONS: VersionRange = VersionRange::new(0, 2);
/// From 3 on it tells of features.
const API_VERSIONS_VERSIONS: VersionRange = VersionRange::new(3, 4);

/// A cluster and its brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterDescription {
    /// The cluster's id.
    pub cluster_id: String,
    /// The broker that takes requests for the controller. With KRaft that is any of them, which passes them on.
    pub controller: Option<i32>,
    /// Its brokers, by id.
    pub brokers: Vec<BrokerDescription>,
    /// What we may do to the cluster.
    pub authorized_operations: Option<Vec<AclOperation>>,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerDescription {
    /// Its id.
    pub id: i32,
    /// The host that clients reach it at.
    pub host: String,
    /// The port that clients reach it at.
    pub port: u16,
    /// Its `broker.rack`, if it has one.
    pub rack: Option<String>,
}

/// A feature of the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureLevels {
    /// The levels that the broker that was asked could go to, the least and the most.
    pub supported: Option<(i16, i16)>,
    /// The level that the cluster is at; `None` for one that is off.
    pub finalized: Option<i16>,
}

impl Admin {
    /// The cluster and its brokers that are up. Brokers tell since 2.8.
    ///
    /// # Errors
    /// When no broker answers within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_cluster(&self, timeout: Duration) -> Result<ClusterDescription, Error> {
        let exchange = Exchange {
            versions: DESCRIBE_CLUSTER_VERSIONS,
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, _| {
                DescribeClusterRequest::default().with_include_cluster_authorized_operations(true)
            },
            read: |items: &[usize], reply: DescribeClusterResponse| {
                items.iter().map(|place| (*place, described(&reply))).collect()
            },
        };
        self.ask_one((Route::Any, "describing the cluster".to_owned()), timeout, exchange).await
    }

    /// The features of the cluster, such as `metadata.version`, by name. Brokers tell since 2.7.
    ///
    /// # Errors
    /// When no broker answers within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_features(&self, timeout: Duration) -> Result<BTreeMap<String, FeatureLevels>, Error> {
        let exchange = Exchange {
            versions: API_VERSIONS_VERSIONS,
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, _| {
                ApiVersionsRequest::default()
                    .with_client_software_name(StrBytes::from_static_str("tidemill"))
                    .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")))
            },
            read: |items: &[usize], reply: ApiVersionsResponse| {
                items.iter().map(|place| (*place, features(&reply))).collect()
            },
        };
        self.ask_one((Route::Any, "describing features".to_owned()), timeout, exchange).await
    }
}

fn described(reply: &DescribeClusterResponse) -> Answer<ClusterDescription> {
    accepted(reply.error_code, reply.error_message.as_ref())?;
    let mut brokers: Vec<BrokerDescription> = reply
        .brokers
        .iter()
        .map(|broker| BrokerDescription {
            id: broker.broker_id.0,
            host: broker.host.to_string(),
            port: u16::try_from(broker.port).unwrap_or(0),
            rack: broker.rack.as_ref().map(ToString::to_string),
        })
        .collect();
    brokers.sort_by_key(|broker| broker.id);
    Ok(ClusterDescription {
        cluster_id: reply.cluster_id.to_string(),
        controller: Some(reply.controller_id.0).filter(|id| *id >= 0),
        brokers,
        authorized_operations: operations(reply.cluster_authorized_operations),
    })
}

fn features(reply: &ApiVersionsResponse) -> Answer<BTreeMap<String, FeatureLevels>> {
    accepted(reply.error_code, None)?;
    let mut features: BTreeMap<String, FeatureLevels> = BTreeMap::new();
    for feature in &reply.supported_features {
        features.entry(feature.name.to_string()).or_default().supported =
            Some((feature.min_version, feature.max_version));
    }
    for feature in &reply.finalized_features {
        features.entry(feature.name.to_string()).or_default().finalized = Some(feature.max_version_level);
    }
    Ok(features)
}
