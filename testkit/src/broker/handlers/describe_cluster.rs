//! `DescribeCluster` 0-2 (KIP-700, KIP-919): the cluster and its brokers.
//!
//! Controllers are not reachable, so an endpoint type other than 1 (brokers) is answered `MISMATCHED_ENDPOINT_TYPE`.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use tidemill_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::text;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 2);

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeClusterRequest = request.decode()?;
    let response = DescribeClusterResponse::default().with_error_message(None);
    if request.version >= 1 && body.endpoint_type != BROKERS {
        let (code, message) = match body.endpoint_type {
            CONTROLLERS => (
                ErrorCode::MISMATCHED_ENDPOINT_TYPE,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    .to_owned(),
            ),
            other => (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, format!("Unsupported endpoint type {other}")),
        };
        let response = response.with_error_code(code.0).with_error_message(Some(text(&message)));
        return request.reply::<DescribeClusterRequest>(&response);
    }
    let brokers = cluster.nodes.running().map(|node| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(node.config.node_id))
            .with_host(text(&node.config.host))
            .with_port(i32::from(node.config.port))
            .with_rack(node.config.rack.as_deref().map(text))
    });
    let mut response = response
        .with_cluster_id(text(&cluster.cluster_id))
        .with_controller_id(BrokerId(cluster.nodes.controller()))
        .with_brokers(brokers.collect());
    if body.include_cluster_authorized_operations {
        response.cluster_authorized_operations = request.cluster_operations(cluster);
    }
    request.reply::<DescribeClusterRequest>(&response)
}
