//! The one task of a producer: makes the requests that the [`machine`](super::machine) wants and brings the answers
//! back. Decides nothing.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock for its machine")]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse, TopicName};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::Shared;
use super::config::Guarantee;
use super::machine::Action;
use super::sender::{Answer, Part, Plan};
use super::sequences::Identity;
use crate::cluster::{Purpose, Target};
use crate::error::Error;

/// From 3 on batches have magic 2; from 13 on topics have ids instead of names.
const PRODUCE_VERSIONS: VersionRange = VersionRange::new(3, 12);
const INIT_PRODUCER_ID_VERSIONS: VersionRange = VersionRange::new(0, 5);

/// What came back.
enum Event {
    Produced(Vec<(Part, Answer)>),
    Identified(Result<Identity, Error>),
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
            (machine.poll(Instant::now(), &mut actions), machine.is_finished())
        };
        for action in actions.drain(..) {
            match action {
                Action::Produce(plan) => events.push(Box::pin(produce(Arc::clone(&shared), plan))),
                Action::InitProducerId => events.push(Box::pin(identify(Arc::clone(&shared)))),
                Action::Free(bytes) => shared.room.add_permits(bytes),
                Action::RefreshMetadata => shared.cluster.refresh(),
            }
        }
        if finished {
            return;
        }
        tokio::select! {
            Some(event) = events.next() => handle(&shared, event),
            () = sleep_until_some(wake_at) => {}
            () = shared.woken.notified() => {}
            () = shared.cluster.changed(seen) => {}
        }
    }
}

fn handle(shared: &Shared, event: Event) {
    let now = Instant::now();
    let mut machine = shared.machine();
    match event {
        Event::Identified(identity) => machine.handle_identity(identity, now),
        Event::Produced(answers) => {
            for (part, answer) in answers {
                machine.handle_answer(&part, answer, now);
            }
        }
    }
}

async fn identify(shared: Arc<Shared>) -> Event {
    let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    let timeout = shared.config.client.request_timeout;
    let cluster = &shared.cluster;
    let reply = cluster.request(Target::Any, Purpose::General, INIT_PRODUCER_ID_VERSIONS, timeout, |_| request).await;
    Event::Identified(reply.and_then(|reply| {
        ErrorCode(reply.body.error_code)
            .into_result()
            .map_err(|code| Error::broker("asking for a producer id", code))?;
        Ok(Identity { producer_id: reply.body.producer_id.0, producer_epoch: reply.body.producer_epoch })
    }))
}

async fn produce(shared: Arc<Shared>, plan: Plan) -> Event {
    let acks = match shared.config.guarantee {
        Guarantee::AtLeastOnce { all_replicas: false } => 1,
        Guarantee::AtLeastOnce { all_replicas: true } | Guarantee::Idempotent => -1,
    };
    let left = plan.deadline.saturating_duration_since(Instant::now());
    let timeout = shared.config.client.request_timeout.min(left);
    let mut topics: BTreeMap<Arc<str>, Vec<PartitionProduceData>> = BTreeMap::new();
    for part in &plan.parts {
        let records = part.payload.seal(shared.config.compression.compression(), part.stamp);
        let data = PartitionProduceData::default().with_index(part.partition.partition).with_records(Some(records));
        topics.entry(Arc::clone(&part.partition.topic)).or_default().push(data);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        let name = TopicName(StrBytes::from_string(name.to_string()));
        TopicProduceData::default().with_name(name).with_partition_data(partitions)
    });
    let request = ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX))
        .with_topic_data(topics.collect());
    let cluster = &shared.cluster;
    let target = Target::Broker(plan.broker);
    let reply = cluster.request(target, Purpose::Produce, PRODUCE_VERSIONS, timeout, |_| request).await;
    let answers = match reply {
        Ok(reply) => read(&plan.parts, &reply.body),
        Err(error) => plan.parts.into_iter().map(|part| (part, Answer::Unanswered(error.clone()))).collect(),
    };
    Event::Produced(answers)
}

/// Finds the answer for each batch; a broker that leaves one out has not answered it.
fn read(parts: &[Part], response: &ProduceResponse) -> Vec<(Part, Answer)> {
    let answer_of = |part: &Part| {
        let topic = response.responses.iter().find(|topic| *topic.name.0 == *part.partition.topic)?;
        topic.partition_responses.iter().find(|answer| answer.index == part.partition.partition)
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

async fn sleep_until_some(wake_at: Option<Instant>) {
    match wake_at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
