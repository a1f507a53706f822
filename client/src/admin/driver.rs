//! What brings a [`call`](super::call) to brokers and their answers back.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::{MetadataRequest, TopicName};
use tidemill_protocol::{ErrorCode, Request, StrBytes};

use super::call::{Action, Answer, Call, Leaders, Route, Settings};
use super::{Admin, Listed};
use crate::clock::{now, sleep_until};
use crate::cluster::{Cluster, CoordinatorKind, Purpose, Target};
use crate::error::Error;

/// One kind of request: in which versions, how it is built, and how its answer is read.
pub(super) struct Exchange<B, A> {
    pub(super) versions: VersionRange,
    /// Whether it changes anything.
    pub(super) changes: bool,
    /// How many items one request may hold.
    pub(super) items_max: usize,
    /// The request for these items, by their places, in this version. The broker has this long.
    pub(super) build: B,
    /// What the answer says of these items.
    pub(super) read: A,
}

/// When a call of several requests is over.
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(timeout: Duration) -> Self {
        Self(now().checked_add(timeout).unwrap_or_else(|| now() + Duration::from_secs(1 << 32)))
    }

    /// How long is left.
    pub(super) fn left(&self) -> Duration {
        self.0.saturating_duration_since(now())
    }
}

/// What was heard.
enum Heard<V> {
    Leaders(Result<BTreeMap<Arc<str>, Leaders>, Error>),
    Coordinators(CoordinatorKind, Result<BTreeMap<String, Result<i32, ErrorCode>>, Error>),
    Answers(u64, Result<Vec<(usize, Answer<V>)>, Error>),
}

/// How long a broker that was named is waited for when metadata does not list it: one that has just come is listed by
/// then. One that has just gone is not, and somebody else may do what it did.
const UNKNOWN_BROKER_MAX: Duration = Duration::from_millis(500);

/// From 4 on, asking does not create topics.
const METADATA_VERSIONS: VersionRange = VersionRange::new(4, 12);

impl Admin {
    /// Asks for every item, each where its route says, until each has its outcome, in the order they were given.
    ///
    /// # Errors
    /// When no broker said anything of any of them: what happened to the first.
    ///
    /// # Cancel safety
    /// When the future is dropped, requests may have been sent.
    pub(super) async fn ask<R, V, B, A>(
        &self,
        items: Vec<(Route, String)>,
        timeout: Duration,
        exchange: Exchange<B, A>,
    ) -> Result<Vec<Result<V, Error>>, Error>
    where
        R: Request + Send,
        R::Response: Send,
        V: Send,
        B: Fn(&[usize], i16, Duration) -> R + Send + Sync,
        A: Fn(&[usize], R::Response) -> Vec<(usize, Answer<V>)> + Send + Sync,
    {
        let cluster = self.client.cluster();
        let settings = Settings {
            timeout,
            request_timeout: cluster.request_timeout(),
            items_max: exchange.items_max,
            changes: exchange.changes,
        };
        let mut call = Call::new(items, settings, cluster.backoff(), fastrand::u64(..), now());
        if cluster.snapshot().version() > 0 {
            call.handle_reached();
        }
        let mut under_way: FuturesUnordered<BoxFuture<'_, Heard<V>>> = FuturesUnordered::new();
        let mut actions = Vec::new();
        while let Some(wake_at) = call.poll(now(), &mut actions) {
            for action in actions.drain(..) {
                match action {
                    Action::Refresh => cluster.refresh(),
                    Action::CoordinatorMoved(kind, key) => cluster.coordinator_moved(kind, &key),
                    Action::FindLeaders(topics) => {
                        under_way.push(find_leaders(cluster, topics, settings).map(Heard::Leaders).boxed());
                    }
                    Action::FindCoordinators(kind, keys) => {
                        let found = async move { cluster.coordinators(kind, &keys).await };
                        under_way.push(found.map(move |found| Heard::Coordinators(kind, found)).boxed());
                    }
                    Action::Ask { token, target, items, timeout } => {
                        let answers = request(cluster, target, items, timeout, &exchange);
                        under_way.push(answers.map(move |answers| Heard::Answers(token, answers)).boxed());
                    }
                }
            }
            tokio::select! {
                Some(heard) = under_way.next() => match heard {
                    Heard::Leaders(found) => call.handle_leaders(found, now()),
                    Heard::Coordinators(kind, found) => call.handle_coordinators(kind, found, now()),
                    Heard::Answers(token, answers) => call.handle_answers(token, answers, now()),
                },
                () = sleep_until(Some(wake_at)) => {}
            }
        }
        let outcomes: Vec<_> = call.into_outcomes().collect();
        let unanswered = |outcome: &Result<V, Error>| outcome.as_ref().is_err_and(|error| error.code().is_none());
        match outcomes.first() {
            Some(Err(error)) if outcomes.iter().all(unanswered) => Err(error.clone()),
            Some(_) | None => Ok(outcomes),
        }
    }

    /// As [`ask`](Self::ask), for one item.
    pub(super) async fn ask_one<R, V, B, A>(
        &self,
        item: (Route, String),
        timeout: Duration,
        exchange: Exchange<B, A>,
    ) -> Result<V, Error>
    where
        R: Request + Send,
        R::Response: Send,
        V: Send,
        B: Fn(&[usize], i16, Duration) -> R + Send + Sync,
        A: Fn(&[usize], R::Response) -> Vec<(usize, Answer<V>)> + Send + Sync,
    {
        let attempt = item.1.clone();
        let mut outcomes = self.ask(vec![item], timeout, exchange).await?;
        outcomes.pop().unwrap_or_else(|| Err(Error::timeout(attempt)))
    }

    /// Asks every broker for what it knows of, each item with who told of it.
    ///
    /// # Errors
    /// When no broker answers.
    pub(super) async fn ask_every_broker<R, V, B, A>(
        &self,
        attempt: &str,
        timeout: Duration,
        exchange: Exchange<B, A>,
    ) -> Result<Listed<(i32, V)>, Error>
    where
        R: Request + Send,
        R::Response: Send,
        V: Send,
        B: Fn(&[usize], i16, Duration) -> R + Send + Sync,
        A: Fn(&[usize], R::Response) -> Vec<(usize, Answer<Vec<V>>)> + Send + Sync,
    {
        let deadline = Deadline::after(timeout);
        let brokers = self.brokers(attempt, timeout).await?;
        let items = brokers.iter().map(|id| (Route::Broker(*id), format!("{attempt} of broker {id}"))).collect();
        let outcomes = self.ask(items, deadline.left(), exchange).await?;
        let (mut found, mut unanswered) = (Vec::new(), Vec::new());
        for (broker, outcome) in brokers.into_iter().zip(outcomes) {
            match outcome {
                Ok(of_broker) => found.extend(of_broker.into_iter().map(|item| (broker, item))),
                Err(error) => unanswered.push((broker, error)),
            }
        }
        Ok(Listed { found, unanswered })
    }

    /// The brokers that are up, as soon as that is known.
    async fn brokers(&self, attempt: &str, timeout: Duration) -> Result<Vec<i32>, Error> {
        let cluster = self.client.cluster();
        let mut refusals = cluster.refusals();
        let known = async {
            while cluster.snapshot().version() == 0 {
                cluster.changed(0).await;
            }
        };
        tokio::select! {
            () = known => Ok(cluster.snapshot().brokers().collect()),
            error = cluster.refused(&mut refusals) => Err(error),
            () = tokio::time::sleep(timeout) => {
                Err(cluster.unreachable().unwrap_or_else(|| Error::timeout(attempt)))
            }
        }
    }
}

async fn request<R, V, B, A>(
    cluster: &Cluster,
    target: Target,
    items: Vec<usize>,
    timeout: Duration,
    exchange: &Exchange<B, A>,
) -> Result<Vec<(usize, Answer<V>)>, Error>
where
    R: Request + Send,
    R::Response: Send,
    B: Fn(&[usize], i16, Duration) -> R + Send + Sync,
    A: Fn(&[usize], R::Response) -> Vec<(usize, Answer<V>)> + Send + Sync,
{
    if let Target::Broker(id) = target {
        cluster.broker_known(id, timeout.min(UNKNOWN_BROKER_MAX)).await?;
    }
    // Its answer needs a moment on the way.
    let patience = timeout.saturating_sub((timeout / 10).min(Duration::from_secs(1)));
    let build = |version| (exchange.build)(&items, version, patience);
    let reply = cluster.request(target, Purpose::General, exchange.versions, timeout, build).await?;
    Ok((exchange.read)(&items, reply))
}

async fn find_leaders(
    cluster: &Cluster,
    topics: BTreeSet<Arc<str>>,
    settings: Settings,
) -> Result<BTreeMap<Arc<str>, Leaders>, Error> {
    let asked = topics.iter().map(|topic| {
        let name = TopicName(StrBytes::from_string(topic.to_string()));
        MetadataRequestTopic::default().with_name(Some(name))
    });
    let request = MetadataRequest::default().with_topics(Some(asked.collect())).with_allow_auto_topic_creation(false);
    let timeout = settings.request_timeout.min(settings.timeout);
    let reply = cluster.request(Target::Any, Purpose::General, METADATA_VERSIONS, timeout, |_| request).await?;
    let mut found: BTreeMap<Arc<str>, Leaders> =
        topics.into_iter().map(|topic| (topic, Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))).collect();
    for topic in &reply.topics {
        let Some(leaders) = topic.name.as_ref().and_then(|name| found.get_mut(name.as_str())) else { continue };
        let code = ErrorCode(topic.error_code);
        *leaders = if code.is_none() || code == ErrorCode::LEADER_NOT_AVAILABLE {
            let leader = |id: i32| Some(id).filter(|id| *id >= 0);
            let of = topic.partitions.iter();
            Ok(of.map(|partition| (partition.partition_index, leader(partition.leader_id.0))).collect())
        } else {
            Err(code)
        };
    }
    Ok(found)
}
