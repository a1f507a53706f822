//! Answers that tell where brokers are tell where the proxy is instead; and ApiVersions tells of no version in which that
//! could not be done.

use bytes::Bytes;
use tidemill_protocol::fetch::FetchResponse;
use tidemill_protocol::header::{decode_request, encode_response};
use tidemill_protocol::messages::api_versions_response::ApiVersion;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, ErrorCode, StrBytes};
use uuid::Uuid;

use crate::faults::RequestFacts;
use crate::faults::change::{LENGTH_BYTES, change};

/// Where a broker can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) broker: i32,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Endpoint {
    /// None when it says that there is no broker.
    pub(super) fn new(broker: i32, host: &str, port: i32) -> Option<Self> {
        let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
        (broker >= 0 && !host.is_empty()).then(|| Self { broker, host: host.to_owned(), port })
    }
}

/// Who is told what an answer says.
pub(super) trait Told {
    /// Here is a broker. On which port of the proxy is it? None when there is none for it.
    fn broker(&mut self, endpoint: &Endpoint) -> Option<u16>;

    /// A topic has this id.
    fn topic(&mut self, id: Uuid, name: &str);
}

/// The endpoint of a `DescribeCluster` answer is one of a broker, not of a controller.
const BROKER_ENDPOINTS: i8 = 1;

/// The answer of an upstream broker (its length included), as the client is to have it.
pub(super) fn rewritten(facts: &RequestFacts, frame: Bytes, told: &mut impl Told) -> Bytes {
    let version = facts.version;
    let changed = match facts.api {
        ApiKey::METADATA => change::<MetadataRequest>(version, &frame, |response| {
            for topic in &response.topics {
                if let Some(name) = topic.name.as_ref().filter(|_| !topic.topic_id.is_nil()) {
                    told.topic(topic.topic_id, &name.0);
                }
            }
            all(&mut response.brokers, |broker| move_to(told, broker.node_id.0, &mut broker.host, &mut broker.port))
        }),
        ApiKey::FIND_COORDINATOR => change::<FindCoordinatorRequest>(version, &frame, |response| {
            let id = response.node_id.0;
            let one = move_to(told, id, &mut response.host, &mut response.port);
            one | all(&mut response.coordinators, |found| {
                move_to(told, found.node_id.0, &mut found.host, &mut found.port)
            })
        }),
        ApiKey::DESCRIBE_CLUSTER => change::<DescribeClusterRequest>(version, &frame, |response| {
            response.endpoint_type == BROKER_ENDPOINTS
                && all(&mut response.brokers, |broker| {
                    move_to(told, broker.broker_id.0, &mut broker.host, &mut broker.port)
                })
        }),
        ApiKey::PRODUCE => change::<ProduceRequest>(version, &frame, |response| {
            all(&mut response.node_endpoints, |node| move_to(told, node.node_id.0, &mut node.host, &mut node.port))
        }),
        // Records are many, endpoints rare: only an answer that has some is made anew.
        ApiKey::FETCH if has_endpoints(version, &frame) => change::<FetchRequest>(version, &frame, |response| {
            all(&mut response.node_endpoints, |node| move_to(told, node.node_id.0, &mut node.host, &mut node.port))
        }),
        ApiKey::SHARE_FETCH => change::<ShareFetchRequest>(version, &frame, |response| {
            all(&mut response.node_endpoints, |node| move_to(told, node.node_id.0, &mut node.host, &mut node.port))
        }),
        ApiKey::SHARE_ACKNOWLEDGE => change::<ShareAcknowledgeRequest>(version, &frame, |response| {
            all(&mut response.node_endpoints, |node| move_to(told, node.node_id.0, &mut node.host, &mut node.port))
        }),
        ApiKey::API_VERSIONS => limited(version, &frame),
        _ => None,
    };
    changed.unwrap_or(frame)
}

/// Whether any was changed; each is tried.
fn all<T>(elements: &mut [T], change: impl FnMut(&mut T) -> bool) -> bool {
    elements.iter_mut().map(change).fold(false, |any, changed| any | changed)
}

fn move_to(told: &mut impl Told, broker: i32, host: &mut StrBytes, port: &mut i32) -> bool {
    let Some(front) = Endpoint::new(broker, host, *port).and_then(|endpoint| told.broker(&endpoint)) else {
        return false;
    };
    *host = StrBytes::from_static_str("127.0.0.1");
    *port = i32::from(front);
    true
}

fn has_endpoints(version: i16, frame: &Bytes) -> bool {
    let Some(inner) = frame.get(LENGTH_BYTES..).map(|_| frame.slice(LENGTH_BYTES..)) else { return false };
    FetchResponse::read(version, &inner).is_ok_and(|response| !response.node_endpoints.is_empty())
}

/// An answer to ApiVersions without what there are no tables of. A broker that does not know the version answers in 0.
fn limited(version: i16, frame: &Bytes) -> Option<Bytes> {
    let limit = |response: &mut ApiVersionsResponse| {
        response.api_keys.retain_mut(|api| {
            let Some(ours) = ApiKey(api.api_key).versions() else { return false };
            api.max_version = api.max_version.min(ours.max);
            api.min_version <= api.max_version
        });
        true
    };
    change::<ApiVersionsRequest>(version, frame, limit).or_else(|| change::<ApiVersionsRequest>(0, frame, limit))
}

/// What the proxy answers itself: an ApiVersions that is newer than the tables.
pub(super) fn refused(facts: &RequestFacts) -> Option<Bytes> {
    let ours = ApiKey::API_VERSIONS.versions()?;
    if facts.api != ApiKey::API_VERSIONS || ours.contains(facts.version) {
        return None;
    }
    let own = ApiVersion::default()
        .with_api_key(ApiKey::API_VERSIONS.0)
        .with_min_version(ours.min)
        .with_max_version(ours.max);
    let response =
        ApiVersionsResponse::default().with_error_code(ErrorCode::UNSUPPORTED_VERSION.0).with_api_keys(vec![own]);
    encode_response::<ApiVersionsRequest>(&response, 0, facts.correlation_id).ok()
}

/// Whether a broker answers at all: not to a Produce with `acks=0`.
pub(super) fn is_answered(facts: &RequestFacts) -> bool {
    facts.api != ApiKey::PRODUCE
        || decode_request::<ProduceRequest>(facts.version, facts.body.clone()).map_or(true, |body| body.acks != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tidemill_protocol::guard;
    use tidemill_protocol::messages::fetch_response::NodeEndpoint;

    use super::*;
    use crate::faults::tests::{World, golden_responses};

    /// Every broker is at port 1.
    #[derive(Default)]
    struct Everywhere {
        brokers: Vec<Endpoint>,
        topics: Vec<String>,
    }

    impl Told for Everywhere {
        fn broker(&mut self, endpoint: &Endpoint) -> Option<u16> {
            self.brokers.push(endpoint.clone());
            Some(1)
        }

        fn topic(&mut self, _: Uuid, name: &str) {
            self.topics.push(name.to_owned());
        }
    }

    fn facts(api: ApiKey, version: i16) -> RequestFacts {
        let mut facts = World::new("", 1).read(1, &HeartbeatRequest::default(), 4);
        (facts.api, facts.version) = (api, version);
        facts
    }

    /// The golden answers of Kafka's own classes, with a broker wherever one may be: none is left where it was.
    #[test]
    fn no_answer_in_any_version_tells_where_brokers_are() {
        let mut rewriting = BTreeSet::new();
        for (api, version, frame) in golden_responses() {
            let mut told = Everywhere::default();
            let changed = rewritten(&facts(api, version), frame.clone(), &mut told);
            let text = |frame: &Bytes| guard::describe_response(api, version, &frame[LENGTH_BYTES..]).unwrap();
            let (before, after) = (text(&frame), text(&changed));
            if api == ApiKey::API_VERSIONS {
                continue;
            }
            assert_eq!(before.lines().count(), after.lines().count(), "{api} v{version}");
            for (was, is) in before.lines().zip(after.lines()) {
                let field = was.trim_start();
                let moved = field.starts_with("host:") || field.starts_with("port:");
                assert!(was == is || moved, "{api} v{version}: {was} and {is}");
            }
            let moved = told.brokers.len();
            assert_eq!(after.lines().filter(|line| line.trim() == "host: \"127.0.0.1\"").count(), moved, "{api}");
            if moved > 0 {
                rewriting.insert(api.name().unwrap());
            }
        }
        let all =
            ["DescribeCluster", "Fetch", "FindCoordinator", "Metadata", "Produce", "ShareAcknowledge", "ShareFetch"];
        assert_eq!(rewriting.into_iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn a_leader_that_fetch_tells_of_is_behind_the_proxy() {
        let node = NodeEndpoint::default()
            .with_node_id(BrokerId(3))
            .with_host(StrBytes::from_static_str("kafka"))
            .with_port(9092);
        let response = FetchResponseStruct::default().with_node_endpoints(vec![node]);
        let frame = encode_response::<FetchRequest>(&response, 17, 7).unwrap();
        let mut told = Everywhere::default();
        let changed = rewritten(&facts(ApiKey::FETCH, 17), frame, &mut told);
        assert_eq!(told.brokers, [Endpoint { broker: 3, host: "kafka".to_owned(), port: 9092 }]);
        let read = FetchResponse::read(17, &changed.slice(LENGTH_BYTES..)).unwrap();
        assert_eq!((read.node_endpoints[0].host.as_str(), read.node_endpoints[0].port), ("127.0.0.1", 1));
    }

    use tidemill_protocol::messages::FetchResponse as FetchResponseStruct;

    #[test]
    fn no_version_is_told_of_that_has_no_table() {
        let api = |key: i16, max| ApiVersion::default().with_api_key(key).with_max_version(max);
        let apis = vec![api(ApiKey::PRODUCE.0, 99), api(ApiKey::METADATA.0, 5), api(999, 3)];
        let response = ApiVersionsResponse::default().with_api_keys(apis);
        for version in [0, 4] {
            let frame = encode_response::<ApiVersionsRequest>(&response, version, 7).unwrap();
            // In a version that the broker does not know, it answers in 0.
            for asked in if version == 0 { vec![0, 4] } else { vec![4] } {
                let changed = rewritten(&facts(ApiKey::API_VERSIONS, asked), frame.clone(), &mut Everywhere::default());
                let read = tidemill_protocol::header::decode_response::<ApiVersionsRequest>(
                    version,
                    changed.slice(LENGTH_BYTES..),
                );
                let told: Vec<(i16, i16)> =
                    read.unwrap().api_keys.iter().map(|api| (api.api_key, api.max_version)).collect();
                assert_eq!(told, [(ApiKey::PRODUCE.0, 13), (ApiKey::METADATA.0, 5)]);
            }
        }
        assert_eq!(refused(&facts(ApiKey::API_VERSIONS, 4)), None);
        assert!(refused(&facts(ApiKey::API_VERSIONS, 5)).is_some());
        assert_eq!(refused(&facts(ApiKey::METADATA, 99)), None);
    }
}
