//! The one task of a producer: makes the requests that the [`machine`](super::machine) wants and brings the answers
//! back. Decides nothing.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock for its machine")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::{self, InitProducerIdRequest, ProduceResponse};
use tidemill_protocol::produce::{self, PartitionBatch, ProduceRequest};
use tidemill_protocol::records::BatchFlags;
use tidemill_protocol::{ApiKey, ErrorCode, StrBytes, header};

use super::Shared;
use super::config::Guarantee;
use super::machine::Action;
use super::sender::{Answer, Part, Plan};
use super::sequences::Identity;
use super::transactions::requests::{self, Asker, Generation};
use crate::clock::{now, sleep_until};
use crate::cluster::{Cluster, Purpose, Target};
use crate::error::{Error, ErrorKind};

/// What is spoken while the id of a topic is not known: from 13 on, topics go by their id.
const PRODUCE_BY_NAME_VERSIONS: VersionRange = VersionRange::new(produce::VERSIONS.min, 12);
/// The first version whose batches may be compressed with zstd (KIP-110).
const PRODUCE_ZSTD_SINCE: i16 = 7;
/// The first version that adds the partitions to the transaction it writes in (KIP-890).
const PRODUCE_ADDS_SINCE: i16 = 12;
const INIT_PRODUCER_ID_VERSIONS: VersionRange = VersionRange::new(0, 5);

/// What came back.
enum Event {
    Produced(Vec<(Part, Answer)>),
    Identified(Result<Identity, Error>),
    Transaction(requests::Reply),
}

type EventFuture = Pin<Box<dyn Future<Output = Event> + Send>>;

pub(super) async fn run(shared: Arc<Shared>) {
    let mut actions = Vec::new();
    let mut events: FuturesUnordered<EventFuture> = FuturesUnordered::new();
    loop {
        let snapshot = shared.cluster.snapshot();
        let seen = snapshot.version();
        let (wake_at, finished) = {
            let mut machine = shared.machine();
            machine.handle_metadata(snapshot);
            (machine.poll(now(), &mut actions), machine.is_finished())
        };
        for action in actions.drain(..) {
            match action {
                Action::Produce(plan) => events.push(Box::pin(produce(Arc::clone(&shared), plan))),
                Action::InitProducerId => events.push(Box::pin(identify(Arc::clone(&shared)))),
                Action::Transaction(request) => {
                    events.extend(coordinate(&shared, request).map(|event| -> EventFuture { Box::pin(event) }));
                }
                Action::Room => shared.room.notify_one(),
                Action::RefreshMetadata => shared.cluster.refresh(),
            }
        }
        if finished {
            shared.machine().handle_finished();
            return;
        }
        tokio::select! {
            Some(event) = events.next() => handle(&shared, event),
            () = sleep_until(wake_at) => {}
            () = shared.woken.notified() => {}
            () = shared.cluster.changed(seen) => {}
        }
    }
}

fn handle(shared: &Shared, event: Event) {
    let now = now();
    let mut machine = shared.machine();
    match event {
        Event::Identified(identity) => machine.handle_identity(identity, now),
        Event::Transaction(reply) => machine.handle_transaction_reply(reply, now),
        Event::Produced(answers) => {
            for (part, answer) in answers {
                machine.handle_answer(&part, answer, now);
            }
        }
    }
}

/// Asks a coordinator; nobody does in a producer without transactions.
fn coordinate(shared: &Shared, request: requests::Request) -> Option<impl Future<Output = Event> + use<>> {
    let settings = shared.transactional.as_ref()?;
    let asker = Asker {
        cluster: shared.cluster.clone(),
        transactional_id: Arc::clone(&settings.transactional_id),
        transaction_timeout: settings.timeout,
        request_timeout: shared.config.client.request_timeout,
    };
    Some(async { Event::Transaction(requests::run(asker, request).await) })
}

async fn identify(shared: Arc<Shared>) -> Event {
    let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    let timeout = shared.config.client.request_timeout;
    let cluster = &shared.cluster;
    let reply = cluster.request(Target::Any, Purpose::General, INIT_PRODUCER_ID_VERSIONS, timeout, |_| request).await;
    Event::Identified(reply.and_then(|reply| {
        ErrorCode(reply.error_code).into_result().map_err(|code| Error::broker("asking for a producer id", code))?;
        Ok(Identity { producer_id: reply.producer_id.0, producer_epoch: reply.producer_epoch })
    }))
}

async fn produce(shared: Arc<Shared>, mut plan: Plan) -> Event {
    let acks = match shared.config.guarantee {
        Guarantee::AtMostOnce => 0,
        Guarantee::AtLeastOnce { all_replicas: false } => 1,
        Guarantee::AtLeastOnce { all_replicas: true } | Guarantee::Idempotent => -1,
    };
    let left = plan.deadline.saturating_duration_since(now());
    let timeout = shared.config.client.request_timeout.min(left);
    // In the request, neighbours of one topic share its entry.
    plan.parts.sort_unstable_by(|one, other| one.partition.cmp(&other.partition));
    let compression = shared.config.compression.compression();
    let transactional_id = shared.transactional.as_ref().map(|settings| &*settings.transactional_id);
    let flags = BatchFlags { transactional: transactional_id.is_some(), ..BatchFlags::default() };
    let batches = plan.parts.iter().map(|part| PartitionBatch {
        topic: &part.partition.topic,
        topic_id: part.topic_id,
        partition: part.partition.partition,
        records: part.payload.seal(compression, part.stamp, flags),
    });
    let batches: Vec<PartitionBatch<'_>> = batches.collect();
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let request = ProduceRequest { transactional_id, acks, timeout_ms, batches: &batches };
    let versions = versions_of(&batches, compression.codec(), plan.generation);
    let answers = match ask(&shared.cluster, plan.broker, &request, versions, compression.codec(), timeout).await {
        Ok(Some((version, response))) => read(&plan.parts, version, &response),
        // Nobody will say more than that it went out.
        Ok(None) => plan.parts.into_iter().map(|part| (part, Answer::Written(None))).collect(),
        Err(answer) => plan.parts.into_iter().map(|part| (part, answer.clone())).collect(),
    };
    Event::Produced(answers)
}

/// Makes the request: the batches go out as they were sealed, none is copied. Without acks there is no answer. The error is
/// what is to be said of each.
async fn ask(
    cluster: &Cluster,
    broker: i32,
    request: &ProduceRequest<'_>,
    versions: VersionRange,
    codec: Codec,
    timeout: Duration,
) -> Result<Option<(i16, ProduceResponse)>, Answer> {
    let connection = cluster.connection_to_broker(broker, Purpose::Produce).map_err(Answer::Unanswered)?;
    // Who is not let in is not let in by trying again.
    let refused = |error: Error| {
        if error.kind() == ErrorKind::Security { Answer::Unsendable(error) } else { Answer::Unanswered(error) }
    };
    connection.opened(timeout).await.map_err(refused)?;
    if let Some(reason) = connection.unspeakable(ApiKey::PRODUCE, versions) {
        return Err(Answer::Unsendable(too_old(&reason, codec)));
    }
    let write =
        |version, correlation_id, client_id: &StrBytes| request.encode(version, correlation_id, Some(client_id));
    if request.acks == 0 {
        let told = connection.tell(ApiKey::PRODUCE, versions, timeout, write).await;
        return told.map(|()| None).map_err(Answer::Unanswered);
    }
    let exchanged = connection.exchange(ApiKey::PRODUCE, versions, timeout, write).await;
    let read = exchanged.and_then(|(version, frame)| {
        let decode = |frame| header::decode_response::<messages::ProduceRequest>(version, frame);
        Ok(Some((version, connection.read(frame, decode)?)))
    });
    read.map_err(Answer::Unanswered)
}

/// The versions in which these can be said.
fn versions_of(batches: &[PartitionBatch<'_>], codec: Codec, generation: Option<Generation>) -> VersionRange {
    let by_name = batches.iter().any(|batch| batch.topic_id.is_nil());
    let VersionRange { min, max } = if by_name { PRODUCE_BY_NAME_VERSIONS } else { produce::VERSIONS };
    let min = if codec == Codec::Zstd { min.max(PRODUCE_ZSTD_SINCE) } else { min };
    match generation {
        None => VersionRange::new(min, max),
        Some(Generation::First) => VersionRange::new(min, max.min(PRODUCE_ADDS_SINCE - 1)),
        Some(Generation::Second) => VersionRange::new(min.max(PRODUCE_ADDS_SINCE), max),
    }
}

/// A broker has no version in which it takes what is to be sent.
fn too_old(reason: &str, codec: Codec) -> Error {
    if codec == Codec::Zstd {
        return Error::config("writing").with_detail(format!(
            "{reason} with zstd, which Kafka has since 2.1: set compression.type to another codec, or update the broker"
        ));
    }
    Error::protocol("writing").with_detail(reason)
}

/// Finds the answer for each batch; a broker that leaves one out has not answered it.
fn read(parts: &[Part], version: i16, response: &ProduceResponse) -> Vec<(Part, Answer)> {
    let by_id = version > PRODUCE_BY_NAME_VERSIONS.max;
    // Brokers answer in the order in which they were asked, or nearly: what is looked for is mostly the next one.
    let (mut next_topic, mut next_partition) = (0, 0);
    let mut answer_of = |part: &Part| {
        let topic = find_from(&response.responses, next_topic, |topic| {
            if by_id { topic.topic_id == part.topic_id } else { *topic.name.0 == *part.partition.topic }
        })?;
        next_partition = if topic == next_topic { next_partition } else { 0 };
        next_topic = topic;
        let answers = &response.responses.get(topic)?.partition_responses;
        let place = find_from(answers, next_partition, |answer| answer.index == part.partition.partition)?;
        next_partition = place + 1;
        answers.get(place)
    };
    let answers = parts.iter().map(|part| {
        let answer = match answer_of(part) {
            None => Answer::Unanswered(Error::protocol("a Produce answer that leaves a partition out")),
            Some(answer) => match ErrorCode(answer.error_code).into_result() {
                Ok(()) => Answer::Written(Some(answer.base_offset).filter(|offset| *offset >= 0)),
                Err(code) => Answer::Refused(code),
            },
        };
        (part.clone(), answer)
    });
    answers.collect()
}

/// The place of the one that is wanted, looked for from `start` on and then in front of it.
fn find_from<T>(all: &[T], start: usize, is_wanted: impl Fn(&T) -> bool) -> Option<usize> {
    let (before, behind) = all.split_at(start.min(all.len()));
    let found = behind.iter().position(&is_wanted).map(|place| before.len() + place);
    found.or_else(|| before.iter().position(is_wanted))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn topics_go_by_their_ids_once_all_of_them_are_known() {
        let batch =
            |id| PartitionBatch { topic: "clicks", topic_id: Uuid::from_u128(id), partition: 0, records: Bytes::new() };
        assert_eq!(versions_of(&[batch(1), batch(2)], Codec::Lz4, None), produce::VERSIONS);
        assert_eq!(versions_of(&[batch(1), batch(0)], Codec::Lz4, None), VersionRange::new(3, 12));
        assert_eq!(versions_of(&[batch(1), batch(0)], Codec::Zstd, None), VersionRange::new(7, 12));
        let (first, second) = (Some(Generation::First), Some(Generation::Second));
        assert_eq!(versions_of(&[batch(1)], Codec::Lz4, first), VersionRange::new(3, 11));
        assert_eq!(versions_of(&[batch(1)], Codec::Lz4, second), VersionRange::new(12, produce::VERSIONS.max));
    }
}
